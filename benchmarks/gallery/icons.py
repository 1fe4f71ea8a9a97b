"""The icons of Debian's `oxygen-icon-theme` as a folder of classes, for `image_folder`.

    apt-get install oxygen-icon-theme
    python benchmarks/gallery/icons.py runs/gallery/icons

Each icon is taken once, at the smallest size that the theme has of at least 32 pixels, composited
over white and reduced to 32 x 32. Its class is the category of the theme (`actions`, `apps`, …);
links, which give one icon several names, and categories with few icons are left out.
"""

import collections
import os
import pathlib

import click
from PIL import Image

from compare_gan import files
from compare_gan.errors import UserError

_THEME = "/usr/share/icons/oxygen/base"
_SIDE = 32
_LEAST = 100  # Icons in a category.


def icons_of(theme: pathlib.Path) -> dict[tuple[str, str], pathlib.Path]:
    """The file of each icon, by category and name."""
    sizes = sorted(
        (int(folder.name.split("x")[0]), folder)
        for folder in theme.glob("*x*")
        if folder.name.split("x")[0].isdigit()
    )
    found: dict[tuple[str, str], pathlib.Path] = {}
    for size, folder in sizes:
        for path in sorted(folder.glob("*/*.png")) if size >= _SIDE else ():
            if not path.is_symlink():
                found.setdefault((path.parent.name, path.stem), path)
    return found


def render(path: pathlib.Path) -> Image.Image:
    """The icon over white, 32 x 32."""
    with Image.open(path) as image:
        icon = image.convert("RGBA")
    over_white = Image.alpha_composite(Image.new("RGBA", icon.size, "white"), icon).convert("RGB")
    return over_white.resize((_SIDE, _SIDE), Image.Resampling.BOX)


def write(folder: str, theme: str = _THEME) -> dict[str, int]:
    """Writes the icons to a folder that is empty or absent; returns their number by category.

    Raises:
      UserError: The theme is not installed, or the folder has files.
    """
    if os.path.isdir(folder) and os.listdir(folder):
        raise UserError(f"'{folder}' is not empty.")
    found = icons_of(pathlib.Path(theme))
    if not found:
        raise UserError(f"There are no icons in '{theme}': apt-get install oxygen-icon-theme")
    sizes = collections.Counter(category for category, _ in found)
    large = {category: size for category, size in sorted(sizes.items()) if size >= _LEAST}
    with files.atomic(folder) as temporary:
        for category in large:
            pathlib.Path(temporary, category).mkdir(parents=True)
        for (category, name), path in found.items():
            if category in large:
                render(path).save(pathlib.Path(temporary, category, f"{name}.png"))
    return large


@click.command()
@click.argument("folder")
@click.option("--theme", default=_THEME, show_default=True)
def main(folder, theme):
    """Write the icons to FOLDER, and print how many there are of each category."""
    try:
        written = write(folder, theme)
    except UserError as error:
        raise click.ClickException(str(error)) from error
    for category, size in written.items():
        print(f"{category}: {size}")


if __name__ == "__main__":
    main()
