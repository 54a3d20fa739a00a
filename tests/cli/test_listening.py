import asyncio
import socket

from openenv_lite.cli.listening import listening_on_port


def test_on_asyncios_own_loop_a_connection_sends_at_once() -> None:
    """Else each HTTP reply, which is two writes, waits for the peer's delayed acknowledgement."""

    async def delays(listener: socket.socket) -> int:
        accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def met(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connection = writer.get_extra_info("socket")
            accepted.set_result(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        server = await asyncio.start_server(met, sock=listener)
        async with server:
            _, writer = await asyncio.open_connection(*listener.getsockname()[:2])
            is_undelayed = await accepted
            writer.close()
        return is_undelayed

    with listening_on_port("127.0.0.1", 0, 1) as listening:
        assert asyncio.run(delays(listening.sockets[0]))
