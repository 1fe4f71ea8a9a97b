"""Colours in options and in results."""

from PIL import ImageColor

from compare_gan.errors import UserError

Colour = tuple[int, int, int]

WHITE: Colour = (255, 255, 255)


def parse_colour(name: str, text: object) -> Colour:
    """The RGB values of a colour.

    Args:
      name: Name of the option, for the message.
      text: Name of a colour in HTML, or `#rrggbb`.

    Raises:
      UserError: It is no colour.

    Example:
      >>> from compare_gan.datasets.colours import parse_colour
      >>> parse_colour("dataset.background", "white"), parse_colour("dataset.background", "#ff8000")
      ((255, 255, 255), (255, 128, 0))
    """
    try:
        red, green, blue = ImageColor.getrgb(text)  # type: ignore[misc]
    except (ValueError, AttributeError, TypeError):
        raise UserError(
            f"{name} must be the name of a colour, such as 'white', or '#rrggbb', received "
            f"{text!r}."
        ) from None
    return red, green, blue


def colour_name(colour: Colour) -> str:
    """The name under which results record a colour: `white`, `black`, or `#rrggbb`.

    Example:
      >>> from compare_gan.datasets.colours import colour_name
      >>> colour_name((255, 255, 255)), colour_name((255, 128, 0))
      ('white', '#ff8000')
    """
    names = {WHITE: "white", (0, 0, 0): "black"}
    return names.get(colour) or "#{:02x}{:02x}{:02x}".format(*colour)


def has_hue(colour: Colour) -> bool:
    """Whether a colour is neither black, gray nor white."""
    return len(set(colour)) > 1
