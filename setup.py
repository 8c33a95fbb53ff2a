"""Put the registry of data sets (`data/sources.toml`, `data/cards`) and the pins into the wheel."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent


class BuildWithRegistry(build_py):
    """Copy the registry beside the modules; an editable install reads it where it lies."""

    def _registry(self):
        files = [Path("data/sources.toml"), *(p.relative_to(HERE) for p in sorted(HERE.glob("data/cards/*.md")))]
        target = Path(self.build_lib) / "causalrec_lib" / "_registry"
        placed = {str(target / f.relative_to("data")): str(f) for f in files}
        return placed | {str(target / "constraints.txt"): "constraints.txt"}

    def run(self):
        """Build the modules, then copy."""
        super().run()
        if self.editable_mode:
            return
        for target, source in self._registry().items():
            self.mkpath(str(Path(target).parent))
            self.copy_file(source, target)

    def get_output_mapping(self):
        """Say which file of the build comes from which source."""
        mapping = super().get_output_mapping()
        return mapping if self.editable_mode else mapping | self._registry()

    def get_outputs(self, include_bytecode=1):
        """Say which files the build makes."""
        outputs = super().get_outputs(include_bytecode)
        return outputs if self.editable_mode else [*outputs, *self._registry()]


setup(cmdclass={"build_py": BuildWithRegistry})
