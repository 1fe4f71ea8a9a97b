"""The icons of Debian's `oxygen-icon-theme` as a folder of classes, for `image_folder`.

    apt-get install oxygen-icon-theme
    python benchmarks/gallery/icons.py runs/gallery/icons

Each icon is taken once, at the smallest size that the theme has of at least 32 pixels, composited
over white and reduced to 32 x 32. Its class is the category of the theme (`actions`, `apps`, …);
links, which give one icon several names, and categories with few icons are left out.
"""

import pathlib

import click
from PIL import Image

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


@click.command()
@click.argument("folder", type=click.Path(path_type=pathlib.Path))
@click.option("--theme", default=_THEME, show_default=True, type=click.Path(exists=True))
def main(folder, theme):
    """Write the icons to FOLDER, and print how many there are of each category."""
    found = icons_of(pathlib.Path(theme))
    categories = sorted({category for category, _ in found})
    for category in categories:
        own = {name: path for (of, name), path in found.items() if of == category}
        if len(own) < _LEAST:
            continue
        (folder / category).mkdir(parents=True, exist_ok=True)
        for name, path in own.items():
            render(path).save(folder / category / f"{name}.png")
        print(f"{category}: {len(own)}")


if __name__ == "__main__":
    main()
