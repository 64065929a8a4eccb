"""Inside the jail: 127.0.0.1:PORT, which is the jail's own, to the socket of the packages that the lab allows."""

import asyncio
import contextlib

PORT = 3141
SOCKET = "/run/datalab/pip.sock"
_CHUNK = 65536


async def main() -> None:
    """Forward until the jail ends."""
    async with await asyncio.start_server(_forward, "127.0.0.1", PORT) as server:
        await server.serve_forever()


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        answer, ask = await asyncio.open_unix_connection(SOCKET)
    except OSError:
        writer.close()
        return
    await asyncio.gather(_copy(reader, ask), _copy(answer, writer))
    for end in (writer, ask):
        end.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


if __name__ == "__main__":
    asyncio.run(main())
