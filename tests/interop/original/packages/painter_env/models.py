from openenv.core.env_server.types import Action, Observation, State


class PaintAction(Action):
    colour: str
    coats: int = 1


class PaintObservation(Observation):
    wall: str = ""


class PaintState(State):
    bucket: str = "empty"
