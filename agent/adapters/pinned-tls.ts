import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { Failure } from "#shared/errors.ts";

export type Endpoint = { readonly host: string; readonly port: number };

/**
 * A TLS connection that only the pinned certificate can answer. Names in it are not looked at: the
 * fingerprint says more. A wrong one ends the socket before a byte of ours is sent.
 */
export function connectPinned({ host, port }: Endpoint, certificatePem: string): TLSSocket {
  const pin = new X509Certificate(certificatePem).fingerprint256;
  return connect({
    host,
    port,
    servername: isIP(host) === 0 ? host : "",
    ca: certificatePem,
    minVersion: "TLSv1.2",
    checkServerIdentity: (_host, { fingerprint256 }) =>
      fingerprint256 === pin
        ? undefined
        : new Error(`certificate ${fingerprint256} is not the pinned ${pin}`),
  });
}

/**
 * First contact: whoever has the certificate with this sha256 fingerprint, proved by the handshake.
 * Answers the socket only when it matched. @throws Failure COORDINATOR_UNREACHABLE, AUTHENTICATION_FAILED
 */
export async function connectByFingerprint(
  { host, port }: Endpoint,
  fingerprint: string,
  timeoutMs: number,
): Promise<TLSSocket> {
  const socket = connect({
    host,
    port,
    servername: isIP(host) === 0 ? host : "",
    minVersion: "TLSv1.2",
    // There is nothing to verify against yet but the fingerprint, compared below.
    rejectUnauthorized: false,
  });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.setTimeout(timeoutMs, () => reject(new Error(`no answer within ${timeoutMs} ms`)));
      socket.once("secureConnect", resolve);
      socket.once("error", reject);
      socket.once("close", () => reject(new Error("the connection was closed")));
    });
  } catch (error) {
    socket.destroy();
    const reason = error instanceof Error ? error.message : String(error);
    throw new Failure(
      "COORDINATOR_UNREACHABLE",
      `no TLS connection to ${host}:${port}: ${reason}`,
      {
        hint: "Is the coordinator running there, and does a firewall let this host through?",
        retryable: true,
        cause: error,
      },
    );
  }
  const found = plainFingerprint(socket.getPeerCertificate().fingerprint256 ?? "");
  if (found === plainFingerprint(fingerprint)) return socket;
  socket.destroy();
  throw new Failure(
    "AUTHENTICATION_FAILED",
    `${host}:${port} shows a certificate with fingerprint ${found}, not ${plainFingerprint(fingerprint)}; the token was not sent`,
    {
      hint: "Paste the line from `castellan token create` anew. If it still differs, somebody stands in between.",
    },
  );
}

/** `AB:CD:…` and `abcd…` are the same. */
export function plainFingerprint(fingerprint: string): string {
  return fingerprint.replaceAll(":", "").toLowerCase();
}
