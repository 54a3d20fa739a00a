from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from openenv.core.env_server.http_server import create_app
from openenv.core.env_server.mcp_types import CallToolAction, CallToolObservation

from .riddle_environment import RiddleEnvironment

app = create_app(RiddleEnvironment, CallToolAction, CallToolObservation, env_name="riddle_env")
app.add_middleware(CORSMiddleware, allow_origins=["http://riddles.example"])
app.routes[:] = [each for each in app.routes if getattr(each, "path", None) != "/step"]


@app.post("/step", tags=["off"])
async def step() -> JSONResponse:
    return JSONResponse({"error": "an answer needs its riddle: use /ws"}, 400)


@app.get("/riddles/{split}")
async def riddles(split: str, most: int = 10) -> dict[str, int]:
    return {split: most}
