import { X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { WebSocketServer, type WebSocket } from "ws";
import { decode } from "#shared/protocol/codec.ts";
import { AgentMessage, JoinRequest, type CoordinatorMessage } from "#shared/protocol/messages.ts";
import { protocolVersion } from "#shared/version.ts";
import { waitFor } from "#test/harness/wait-for.ts";

export type Credentials = { readonly key: string; readonly certificate: string };

/** A self-signed certificate as the coordinator makes its own. */
export async function makeCertificate(): Promise<Credentials> {
  const folder = await mkdtemp(join(tmpdir(), "castellan-certificate-"));
  try {
    const [keyFile, certificateFile] = [join(folder, "key.pem"), join(folder, "certificate.pem")];
    const subject = ["-subj", "/CN=castellan-coordinator", "-days", "30", "-nodes", "-sha256"];
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
    const files = ["-keyout", keyFile, "-out", certificateFile];
    await execa("openssl", ["req", "-x509", ...curve, ...subject, ...files]);
    return {
      key: await readFile(keyFile, "utf8"),
      certificate: await readFile(certificateFile, "utf8"),
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}

export function fingerprintOf(certificate: string): string {
  return new X509Certificate(certificate).fingerprint256.replaceAll(":", "").toLowerCase();
}

/**
 * The coordinator's end of the link, told what to do by the test: real TLS, real WebSocket, the real schema
 * for what arrives; no journal, no plan. The real coordinator is in the e2e tests.
 */
export class FakeCoordinator implements AsyncDisposable {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets: WebSocketServer;
  readonly credentials: Credentials;
  readonly secret = "s3cret-of-the-agent";
  /** Everything that arrived, of all connections. */
  readonly received: AgentMessage[] = [];
  /** What arrived against the schema: there must be none. */
  readonly bad: string[] = [];
  readonly joins: { readonly body: unknown }[] = [];
  readonly authorizations: (string | undefined)[] = [];
  epoch = 1;
  heartbeat = { everyMs: 200, lostAfterMs: 1_000 };
  welcomes = true;
  autoPong = true;
  /** That it chooses, of those that are offered. */
  protocol: string | null = null;
  connection: WebSocket | null = null;
  joinAnswer: { readonly status: number; readonly body: unknown } | null = null;

  private constructor(server: Server, port: number, credentials: Credentials) {
    this.#server = server;
    this.port = port;
    this.credentials = credentials;
    this.#sockets = new WebSocketServer({
      noServer: true,
      autoPong: false,
      // The first that is offered, as one of before does.
      handleProtocols: (offered) => this.protocol ?? [...offered][0] ?? false,
    });
    server.on("upgrade", (request, socket, head) => {
      this.authorizations.push(request.headers.authorization);
      if (request.headers.authorization !== `Castellan srv159:${this.secret}`) {
        socket.end("HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n");
        return;
      }
      this.#sockets.handleUpgrade(request, socket, head, (client) => this.#take(client));
    });
  }

  static async start(credentials: Credentials, port = 0): Promise<FakeCoordinator> {
    const server = createServer({ key: credentials.key, cert: credentials.certificate });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", resolve);
    });
    const address = server.address();
    const bound = typeof address === "object" && address !== null ? address.port : 0;
    const fake = new FakeCoordinator(server, bound, credentials);
    server.on("request", (request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const body: unknown = JSON.parse(Buffer.concat(chunks).toString());
        fake.joins.push({ body });
        const answer = fake.joinAnswer ?? {
          status: JoinRequest.safeParse(body).success && request.url === "/agent/join" ? 200 : 400,
          body: { secret: fake.secret, certificatePem: credentials.certificate },
        };
        response.writeHead(answer.status, { "content-type": "application/json" });
        response.end(JSON.stringify(answer.body));
      });
    });
    return fake;
  }

  #take(client: WebSocket): void {
    this.connection = client;
    client.on("ping", (data) => {
      if (this.autoPong) client.pong(data);
    });
    client.on("message", (data, isBinary) => {
      const decoded = decode(AgentMessage, data, isBinary);
      if (!decoded.ok) {
        this.bad.push(decoded.reason);
        return;
      }
      this.received.push(decoded.message);
      if (decoded.message.type === "hello" && this.welcomes) this.send(this.welcome());
    });
    client.on("error", () => undefined);
    client.on("close", () => {
      if (this.connection === client) this.connection = null;
    });
  }

  welcome(): CoordinatorMessage {
    return {
      type: "welcome",
      protocol: protocolVersion,
      coordinatorVersion: "0.0.0-fake",
      epoch: this.epoch,
      clockMs: Date.now(),
      heartbeat: this.heartbeat,
    };
  }

  send(message: CoordinatorMessage): void {
    this.sendRaw(JSON.stringify(message));
  }

  sendRaw(data: string | Buffer): void {
    if (this.connection === null) throw new Error("no agent is connected");
    this.connection.send(data);
  }

  of<T extends AgentMessage["type"]>(type: T): Extract<AgentMessage, { type: T }>[] {
    return this.received.filter(
      (message): message is Extract<AgentMessage, { type: T }> => message.type === type,
    );
  }

  /** Waits until `count` messages of the type have arrived in all; answers the last. */
  async next<T extends AgentMessage["type"]>(
    type: T,
    count = 1,
    timeoutMs = 10_000,
  ): Promise<Extract<AgentMessage, { type: T }>> {
    return waitFor(() => this.of(type).length >= count && this.of(type).at(-1), {
      what: `${count} × ${type}`,
      timeoutMs,
    });
  }

  async ended(commandId: string): Promise<Extract<AgentMessage, { type: "command-ended" }>> {
    return waitFor(() => this.of("command-ended").find((m) => m.commandId === commandId), {
      what: `the end of ${commandId}`,
      timeoutMs: 20_000,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#sockets.clients) client.terminate();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
