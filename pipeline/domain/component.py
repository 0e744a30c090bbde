"""The base class of domains and renders, which files of `conf/` choose."""

from typing import ClassVar


class Component:
    """Base class of domains and renders, which a file of ``conf/`` chooses.

    Its attributes name the settings that need care where a run is continued, or where another user continues
    it.
    """

    file_settings: ClassVar[tuple[str, ...]] = ()
    """Settings that name files or addresses. A run of another user must not bring them; see `names_file`."""
    data_settings: ClassVar[tuple[str, ...]] = ()
    """Settings that name parts of the data. A run that is continued with other data drops them."""
    score_settings: ClassVar[tuple[str, ...]] = ()
    """Settings that only the stage `score` reads. A run continued with another `score.path` drops them."""
    sends_data: ClassVar[bool] = False
    """Whether it sends sequences to a server, which a run of another user must not choose."""

    @classmethod
    def names_file(cls, setting: str, value: object) -> bool:
        """Tell whether this value of a setting names a file or an address.

        Parameters
        ----------
        setting : str
            Name of the setting.
        value : object
            Its value.

        Returns
        -------
        bool
            True where a run of another user must not bring the value.
        """
        return setting in cls.file_settings and value is not None
