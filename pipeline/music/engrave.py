"""Engraving by verovio and rasterising by resvg: native code, called in a child process of its own."""

# Sizes in verovio's units of a tenth of a millimetre: a page as wide as A4, as high as its music.
_OPTIONS = {
    "pageWidth": 2100,
    "pageHeight": 60000,
    "adjustPageHeight": True,
    "pageMarginLeft": 90,
    "pageMarginRight": 90,
    "pageMarginTop": 30,
    "pageMarginBottom": 60,
    "scale": 40,
    "breaks": "encoded",
    "header": "none",  # `score` writes the title, which verovio places by a font that may be missing
    "footer": "none",
    "svgViewBox": True,
    "xmlIdSeed": 1,  # same picture, same bytes
}


def engrave(sources: list[str]) -> list[str]:
    """SVG pictures, one for each MusicXML text; "" where verovio refuses one."""
    import verovio

    verovio.enableLog(verovio.LOG_OFF)
    toolkit = verovio.toolkit()
    toolkit.setOptions(_OPTIONS)
    return [toolkit.renderToSVG(1) if toolkit.loadData(source) else "" for source in sources]


def rasterise(svg: str, font_files: list[str], width_px: int) -> bytes:
    """A PNG of an SVG, on white."""
    import resvg_py

    return bytes(
        resvg_py.svg_to_bytes(svg_string=svg, background="white", width=width_px, font_files=font_files)
    )
