import * as fs from "node:fs";
import * as fc from "fast-check";

/** A file of test/fixtures/config-files as callers read it: one character for each byte. */
export function fixture(name: string): string {
  return fs.readFileSync(
    new URL(`../../../fixtures/config-files/${name}`, import.meta.url),
    "latin1",
  );
}

/** Text that looks like a config file often enough to reach the interesting places, and is rubbish otherwise. */
export const configText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: "binary", maxLength: 60 }).map(toBytes),
  fc
    .array(
      fc.constantFrom(
        ..."\n \t\r\\#'\"=,()@+/:.$`a1\0-".split(""),
        "\r\n",
        "\u00ef\u00bb\u00bf",
        "\u00e4\u00b8\u00ad",
        "\u00d6",
        "port",
        "password",
        "include",
        "host",
        "local",
        "all",
        "replication",
        "10.0.0.1/24",
        "::1/128",
        "md5",
        "KB_ALL_IP=(10.0.0.1 10.0.0.2)",
        "NODE_NAME=",
        "backend_hostname2",
        "standby_mode = 'on'",
        "*/1 * * * * kingbase  /db/bin/network_rewind.sh",
      ),
      { maxLength: 30 },
    )
    .map((pieces) => pieces.join("")),
);

function toBytes(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** How often each property is tried: a sample that keeps the suite fast. `FUZZ_RUNS=100000` makes it a long run. */
export const runs = { numRuns: Number(process.env["FUZZ_RUNS"] ?? 400) };
