"""Everything that can go wrong in an export, as one tree.

::

    ExportError
      UserError               the spec, the model or the repository has to change
        SpecError               the YAML spec is wrong
        ArchitectureError       the import path, its arguments or its forward pass
        CheckpointError         the checkpoint is missing, refused or does not fit
        ConversionError         the model cannot become an artifact of the chosen target
        GateError               the artifact was made and then refused
        RepositoryError         the model repository cannot take or give the version
          NotFoundError           no such model, version or manifest
          VersionConflictError    that version is already there
          SignatureConflictError  other inputs or outputs than the versions before
      ToolError               ours, or the machine's
        ChildCrashError         the conversion process died
        RepositoryWriteError    the disk refused: full, read-only, input/output error

Whatever is raised, nothing was published, unless the message says otherwise. Messages are sentences that end
in what to do next.
"""


class ExportError(Exception):
    """Base of the tree.

    Attributes:
        message: one or more sentences for the person who runs the export.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class UserError(ExportError):
    """The spec, the model or the repository has to change."""


class SpecError(UserError):
    """The YAML spec is wrong; the message names file, line and field."""


class ArchitectureError(UserError):
    """The architecture cannot be imported, constructed or run on the inputs the spec describes."""


class CheckpointError(UserError):
    """The checkpoint is missing, of a refused kind, or does not fit the architecture."""


class ConversionError(UserError):
    """The model cannot become an artifact of the chosen target."""


class GateError(UserError):
    """A gate refused the artifact; the message says which one, measured against allowed."""


class RepositoryError(UserError):
    """The model repository cannot take or give the version."""


class NotFoundError(RepositoryError):
    """No such model, version or manifest in the repository."""


class VersionConflictError(RepositoryError):
    """That version is already there, and versions never change."""


class SignatureConflictError(RepositoryError):
    """Other inputs or outputs than the versions before: a different signature is a different model."""


class ToolError(ExportError):
    """Not the user's doing: a bug of ours, or the machine."""


class ChildCrashError(ToolError):
    """The conversion process died without an answer."""


class RepositoryWriteError(ToolError):
    """The disk refused a write: full, read-only, or an input/output error."""


ERRORS: tuple[type[ExportError], ...] = (
    SpecError,
    ArchitectureError,
    CheckpointError,
    ConversionError,
    GateError,
    RepositoryWriteError,
    ToolError,
)
"""What the conversion process may report to its parent, by class name."""
