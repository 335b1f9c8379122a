/**
 * Who asks again before the answer has come (RFC 9112 section 9.3.2) has answers waiting for the connection. When that
 * goes, Node tells only the answer that had it: here the others are told, too, so that nobody works for them any more.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export function closePipelinedResponses(server: Server): void {
  const queues = new WeakMap<Socket, Set<ServerResponse>>();
  server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    if (response.socket) return;
    const queue = queues.get(socket) ?? queueOf(socket);
    queues.set(socket, queue.add(response));
    // From here on Node tells it.
    response.once('socket', () => queue.delete(response));
  });
}

function queueOf(socket: Socket): Set<ServerResponse> {
  const queue = new Set<ServerResponse>();
  socket.once('close', () => {
    for (const response of queue) {
      response.destroy();
      response.emit('close');
    }
  });
  return queue;
}
