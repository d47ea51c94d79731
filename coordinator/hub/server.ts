import type { IncomingMessage } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { WebSocketServer, type WebSocket } from "ws";
import { Failure } from "#shared/errors.ts";
import { maxMessageBytes } from "#shared/protocol/codec.ts";
import { knowsCluster, numberedAnswers, takesDecisions } from "#shared/protocol/messages.ts";
import { sendFailure } from "../api/http-io.ts";
import type { Authenticator } from "../trust/authenticator.ts";
import { answerFailover } from "../failover/answer.ts";
import type { FailOver } from "../failover/fail-over.ts";
import { admit } from "./admission.ts";
import { AgentLink, closeSocket } from "./agent-link.ts";
import { readHello } from "./first-message.ts";
import type { Hub, HubPorts } from "./hub.ts";
import { answerJoin } from "./join.ts";
import { createRefusals, type Refusals } from "./refusals.ts";

export type HubServerOptions = Omit<
  HubPorts,
  "onMissedPast" | "onFacts" | "onWelcome" | "onLost"
> & {
  readonly hub: Hub;
  readonly listen: { readonly address: string; readonly port: number };
  readonly authenticator: Authenticator;
  readonly certificatePem: string;
  readonly keyPem: string;
  readonly failOver: FailOver;
};

export type HubServer = AsyncDisposable & { readonly port: number };

/** The TLS server that agents dial: `POST /agent/join` and `/agent/failover`, WebSocket at `/agent`, nothing else. */
export async function startHubServer(options: HubServerOptions): Promise<HubServer> {
  const { settings, certificatePem, keyPem, listen } = options;
  const refusals = createRefusals(options.events, options.clock);
  const server = createServer(
    {
      cert: certificatePem,
      key: keyPem,
      minVersion: "TLSv1.2",
      handshakeTimeout: 10_000,
      headersTimeout: 10_000,
      requestTimeout: 15_000,
    },
    (request, response) => {
      const path = request.method === "POST" ? pathOf(request) : null;
      if (path === "/agent/join") {
        void answerJoin({ ...options, refusals }, request, response); // answers its own failures
      } else if (path === "/agent/failover") {
        void answerFailover({ ...options, refusals }, request, response); // answers its own failures
      } else {
        sendFailure(response, new Failure("NOT_FOUND", "There is nothing here."));
      }
    },
  );
  server.maxConnections = settings.limits.agents * 2;
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: maxMessageBytes,
    perMessageDeflate: false,
    handleProtocols: (offered) =>
      [knowsCluster, takesDecisions, numberedAnswers].find((p) => offered.has(p)) ?? false,
  });
  server.on("upgrade", (request, socket, head) => {
    socket.on("error", () => socket.destroy());
    if (pathOf(request) !== "/agent") {
      socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n");
      return;
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      greet({ ...options, refusals }, webSocket, request);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(cannotListen(listen, error)));
    server.listen(listen.port, listen.address, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port, // a TCP server that listens
    [Symbol.asyncDispose]: async () => {
      options.hub.close();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // Whoever did not take our close frame within a second is cut off.
      const hurry = setTimeout(() => {
        for (const client of sockets.clients) client.terminate();
        server.closeAllConnections();
      }, 1_000);
      sockets.close();
      server.closeIdleConnections();
      await closed;
      clearTimeout(hurry);
    },
  };
}

type GreetPorts = HubServerOptions & { readonly refusals: Refusals };

function greet(options: GreetPorts, socket: WebSocket, request: IncomingMessage): void {
  const { authenticator, clock, events, hub, refusals, settings, store } = options;
  const address = request.socket.remoteAddress ?? "?";
  const asked = authenticator.authenticateAgent(request.headers);
  if (!asked.ok) {
    socket.on("error", () => undefined);
    refusals.record(null, address, asked.reason);
    closeSocket(socket, "badSecret", asked.reason);
    return;
  }
  const { node } = asked;
  readHello(socket, node, settings.limits.helloMs, (first) => {
    if (!first.ok) {
      socket.on("error", () => undefined);
      refusals.record(node, address, first.reason);
      closeSocket(socket, first.code, first.reason);
      return;
    }
    const link = new AgentLink(
      socket,
      first.hello,
      request.socket,
      { heartbeat: settings.heartbeat, sendBufferBytes: settings.limits.sendBufferBytes },
      {
        onBadMessage: (reason) => events.emit("agent:misspoke", { node }, { reason }),
        onClosed: (reason) => hub.farewell(link, reason),
      },
    );
    const ports = { hub, refusals, store, clock, claimProbeMs: settings.limits.claimProbeMs };
    admit(ports, link).catch((error: unknown) => {
      refusals.record(node, address, String(error));
      link.terminate("could not be admitted");
    });
  });
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? "").split("?")[0] ?? "";
}

function cannotListen(
  listen: { readonly address: string; readonly port: number },
  cause: NodeJS.ErrnoException,
): Failure {
  return new Failure(
    "RESOURCE_MISSING",
    `The coordinator can't listen on ${listen.address}:${listen.port} (${cause.code ?? cause.message}).`,
    { hint: "name another address or port in settings.yaml", cause },
  );
}
