"""Replies of environments in this process, taken as they are where nothing is lost by it."""

from typing import Any

from openenv_lite.batches import Format, Results
from openenv_lite.client.translation import TypeArguments
from openenv_lite.client.vector_words import VectorWords

__all__ = ["UnsentWords"]


class UnsentWords(VectorWords):
    """For who copies the observations into an array at once, so that no encoding need do it.

    What has more than the columns, and what is no Struct with the field that `types.observation`
    has, goes through the encoding as ever. It is a thirtieth of a step of CartPole.
    """

    def __init__(self, form: Format, types: TypeArguments) -> None:
        super().__init__(form._replace(encode=self._unless_plain), types)
        self._encode_reply = form.encode
        self._field: str = types.observation.__struct_fields__[0]

    def _unless_plain(self, reply: Any) -> Any:
        return reply if self._is_plain(reply) else self._encode_reply(reply)

    def _is_plain(self, reply: Any) -> bool:
        if not isinstance(reply, Results) or reply.errors or reply.metadata or reply.final:
            return False
        kinds = {*map(type, reply.observations)}
        return len(kinds) == 1 and self._has_field(kinds.pop())

    def _has_field(self, kind: Any) -> bool:
        names = (
            getattr(kind, "__struct_fields__", ()),
            getattr(kind, "__struct_encode_fields__", ()),
        )
        return all(self._field in each for each in names)

    def decode(self, frame: Any) -> Any:
        """A frame to a reply, or the reply that was not encoded."""
        return super().decode(frame) if isinstance(frame, bytes) else frame
