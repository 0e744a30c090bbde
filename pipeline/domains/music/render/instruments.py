"""The instruments of General MIDI by their usual names."""

from pipeline.errors import ConfigError

# Source: General MIDI System Level 1, MIDI Manufacturers Association; numbers count from 0.
NAMES = (
    "piano", "bright piano", "electric grand piano", "honky-tonk piano", "electric piano", "electric piano 2",
    "harpsichord", "clavinet", "celesta", "glockenspiel", "music box", "vibraphone", "marimba", "xylophone",
    "tubular bells", "dulcimer", "organ", "percussive organ", "rock organ", "church organ", "reed organ",
    "accordion", "harmonica", "bandoneon", "guitar", "steel guitar", "jazz guitar", "clean guitar",
    "muted guitar", "overdriven guitar", "distortion guitar", "guitar harmonics", "acoustic bass",
    "fingered bass", "picked bass", "fretless bass", "slap bass", "slap bass 2", "synth bass",
    "synth bass 2", "violin", "viola", "cello", "contrabass", "tremolo strings", "pizzicato strings", "harp",
    "timpani", "strings", "slow strings", "synth strings", "synth strings 2", "choir", "voice",
    "synth voice", "orchestra hit", "trumpet", "trombone", "tuba", "muted trumpet", "horn", "brass",
    "synth brass", "synth brass 2", "soprano saxophone", "alto saxophone", "tenor saxophone",
    "baritone saxophone", "oboe", "english horn", "bassoon", "clarinet", "piccolo", "flute", "recorder",
    "pan flute", "blown bottle", "shakuhachi", "whistle", "ocarina", "square lead", "sawtooth lead",
    "calliope lead", "chiff lead", "charang lead", "voice lead", "fifths lead", "bass and lead",
    "new age pad", "warm pad", "polysynth pad", "choir pad", "bowed pad", "metallic pad", "halo pad",
    "sweep pad", "rain",
    "soundtrack", "crystal", "atmosphere", "brightness", "goblins", "echoes", "science fiction", "sitar",
    "banjo", "shamisen", "koto", "kalimba", "bagpipe", "fiddle", "shanai", "tinkle bell", "agogo",
    "steel drums", "woodblock", "taiko", "melodic tom", "synth drum", "reverse cymbal", "fret noise",
    "breath noise", "seashore", "bird", "telephone", "helicopter", "applause", "gunshot",
)  # fmt: skip
_EXAMPLES = ("piano", "guitar", "fiddle", "flute", "whistle", "accordion", "banjo", "harp", "bagpipe")


def parse_instrument(instrument: object, setting: str) -> int:
    """The General MIDI number, from 0, of an instrument given by its name or number.

    >>> parse_instrument("Flute", "render.instrument"), parse_instrument(110, "render.instrument")
    (73, 110)

    Raises ConfigError, which names the setting, for anything else.
    """
    if isinstance(instrument, int) and not isinstance(instrument, bool) and 0 <= instrument < len(NAMES):
        return instrument
    name = " ".join(instrument.lower().replace("_", " ").split()) if isinstance(instrument, str) else ""
    if name in NAMES:
        return NAMES.index(name)
    near = [known for known in NAMES if name and name in known] or list(_EXAMPLES)
    raise ConfigError(
        f"{setting}: {instrument!r} is not a General MIDI instrument; give a name, such as "
        f"{', '.join(near[:9])}, or a number from 0 to {len(NAMES) - 1}"
    )


def instrument_name(program: int) -> str:
    """The name of an instrument as printed before a staff.

    >>> instrument_name(73), instrument_name(65)
    ('Flute', 'Alto saxophone')
    """
    return NAMES[program].capitalize()


def is_sustained(program: int) -> bool:
    """Whether a note can swell and fade, as on organs, bowed strings, winds and in voices.

    >>> is_sustained(73), is_sustained(24)
    (True, False)
    """
    plucked_or_struck = (45, 46, 47, 55)
    return program in (*range(16, 24), *range(40, 80), *range(109, 112)) and program not in plucked_or_struck
