"""A TCP echo server on asyncio's streams: python3 asyncio_echo.py PORT"""

import asyncio
import sys


async def echo(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()  # a peer that does not read is not read from either
    except ConnectionError:
        pass  # a reset ends this connection, and no other
    finally:
        writer.close()  # sends what is left first: a half-closed peer still gets its bytes


async def main():
    # asyncio sets TCP_NODELAY by itself.
    server = await asyncio.start_server(echo, "127.0.0.1", int(sys.argv[1]), backlog=1024)
    await server.serve_forever()


asyncio.run(main())
