"""Which versions made a result."""

from __future__ import annotations

import functools
import platform

_LIBRARY_OF_ENGINE = {"simpy": "simpy", "compiled": "numba"}


@functools.cache
def versions_of(engine: str) -> dict[str, str]:
    """Return the versions of bufsim, Python, NumPy, pandas and the library that an engine runs on.

    Examples
    --------
    >>> list(versions_of("simpy"))
    ['bufsim', 'python', 'numpy', 'pandas', 'simpy']
    """
    from importlib.metadata import version  # late: slow to import

    from bufsim import __version__  # late: the package itself imports this module

    libraries = ["numpy", "pandas", *filter(None, [_LIBRARY_OF_ENGINE.get(engine)])]
    return {
        "bufsim": __version__,
        "python": platform.python_version(),
        **{library: version(library) for library in libraries},
    }
