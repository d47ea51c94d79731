import { X509Certificate } from "node:crypto";
import { chmod, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { execa } from "execa";
import { Failure } from "#shared/errors.ts";

/** Agents pin the certificate itself, so its end is far away; renewing it means joining again. */
const validDays = 7300;
const dayMs = 86_400_000;

/**
 * Makes the coordinator's own certificate (EC P-256, self-signed) and key with the openssl program. It is
 * valid from two days ago on: a host whose clock is behind must still be able to say so. Both appear whole or not at all; the key first, so that a certificate never lacks its key.
 */
export async function createCertificate(
  directory: string,
  hosts: readonly string[],
  now: number,
): Promise<{ readonly certificateFile: string; readonly keyFile: string }> {
  const work = await mkdtemp(join(directory, ".certificate-"));
  const certificateFile = join(directory, "certificate.pem");
  const keyFile = join(directory, "key.pem");
  try {
    const names = [...new Set(["localhost", ...hosts])];
    const inWork = (name: string): string => join(work, name);
    await writeFile(inWork("openssl.cnf"), opensslConfig(work, names));
    await writeFile(inWork("index"), "");
    const config = ["-config", inWork("openssl.cnf")];
    const request = "req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    await openssl([
      ...request.split(" "),
      ...config,
      "-keyout",
      inWork("key.pem"),
      "-out",
      inWork("request.pem"),
    ]);
    await openssl([
      ..."ca -selfsign -batch -notext -rand_serial".split(" "),
      ...config,
      "-keyfile",
      inWork("key.pem"),
      "-in",
      inWork("request.pem"),
      "-out",
      inWork("certificate.pem"),
      "-startdate",
      asn1Time(now - 2 * dayMs),
      "-enddate",
      asn1Time(now + validDays * dayMs),
    ]);
    await chmod(join(work, "key.pem"), 0o600);
    await chmod(join(work, "certificate.pem"), 0o644);
    await rename(join(work, "key.pem"), keyFile);
    await rename(join(work, "certificate.pem"), certificateFile);
    return { certificateFile, keyFile };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function openssl(args: readonly string[]): Promise<void> {
  const result = await execa("openssl", args, { reject: false, timeout: 30_000, stdin: "ignore" });
  if (!result.failed) return;
  throw new Failure("PROGRAM_FAILED", "openssl could not make the coordinator's certificate.", {
    hint: "is the package openssl installed?",
    evidence: [result.shortMessage ?? "", ...(result.stderr ?? "").split("\n").slice(-5)],
  });
}

function opensslConfig(directory: string, names: readonly string[]): string {
  const alternatives = names.map((name) => `${isIP(name) === 0 ? "DNS" : "IP"}:${name}`);
  return `[req]
distinguished_name = name
prompt = no
[name]
CN = castellan-coordinator
[ca]
default_ca = own
[own]
database = ${directory}/index
new_certs_dir = ${directory}
default_md = sha256
policy = any
rand_serial = yes
serial = ${directory}/serial
x509_extensions = extensions
[any]
commonName = supplied
[extensions]
basicConstraints = critical, CA:TRUE
subjectAltName = ${alternatives.join(", ")}
`;
}

/** `20260101000000Z` */
function asn1Time(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19).replaceAll(/[-:T]/g, "")}Z`;
}

/** sha256 of the certificate's DER form, lower-case hex: what agents pin. */
export function certificateFingerprint(pem: string): string {
  return new X509Certificate(pem).fingerprint256.replaceAll(":", "").toLowerCase();
}
