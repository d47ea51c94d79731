import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { parseHba } from "#shared/config-files/hba.ts";
import { firstMatch, type HbaQuery } from "#shared/config-files/hba-match.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { type PostgresServer, startPostgres } from "../agent/postgres-server.ts";
import { mostly, oneOf, samples } from "./generated.ts";

const line = fc
  .tuple(
    mostly("host", "local|hostnossl|hostssl|hostnogssenc|hostgssenc"),
    mostly(
      "all|app|replication|sameuser|alice",
      `"all"|"replication"|app,alice|"sameuser"|al"l"|samerole|/^a`,
    ),
    mostly("all|alice|bob", `"all"|alice, "all"|"a"lice|+team|bob,+team|"+team"|Alice`),
    mostly(
      "all|127.0.0.1/32|127.0.0.2/32|127.0.0.0/8",
      `samehost|samenet|127.1.0.0/16|0177.1/32|127.0.0.0 255.0.0.255|::1/128|0.0.0.0/0|"all"|127.1.2.255/+24`,
    ),
    oneOf("trust|reject|password|scram-sha-256"),
  )
  .map(([type, database, user, address, method]) => {
    const place = type === "local" ? [] : [address];
    return [type, database, user, ...place, method].join(" ");
  });
const login = fc.record({
  address: fc.constantFrom("127.0.0.1", "127.0.0.2", "127.1.2.3", null),
  database: oneOf("app|alice|all|replication|bob"),
  user: oneOf("alice|bob|all|+team"),
  replication: fc.constantFrom(false, false, true),
});
const situation = fc.record({
  lines: fc.array(line, { minLength: 1, maxLength: 6 }),
  logins: fc.array(login, { minLength: 12, maxLength: 12 }),
});

test("the line that we say decides is the one that decides about real logins", async () => {
  await using server = await startPostgres();
  await server.sql(
    'CREATE ROLE alice; CREATE ROLE bob; CREATE ROLE "all"; CREATE ROLE "+team"; CREATE ROLE team ROLE alice',
  );
  const admin = `host postgres ${server.superuser} 127.0.0.1/32 trust`;
  let decided = 0;
  let asked = 0;
  for (const { lines, logins } of samples(situation, 0.02)) {
    const text = [admin, ...lines, ""].join("\n");
    await load(server, text);
    const conf = parseHba(text);
    expect(conf.complaints, text).toEqual([]);
    for (const attempt of logins) {
      asked += 1;
      const type = attempt.address === null ? "local" : "host";
      const match = firstMatch(
        conf,
        { ...attempt, type },
        { localNetworks: [{ address: "127.0.0.1", prefix: 8 }] },
      );
      if (match !== null && match.undecidable !== null) continue;
      decided += 1;
      const shown = `${JSON.stringify(attempt)} by\n${text}`;
      expect(match?.rule?.method ?? "none", shown).toBe(await answer(server, attempt));
    }
  }
  expect(decided).toBeGreaterThan(asked / 2);
});

async function load(server: PostgresServer, text: string): Promise<void> {
  await writeFile(join(server.dataDirectory, "pg_hba.conf"), text);
  const loadedAt = "SELECT pg_conf_load_time()";
  const before = await server.sql(loadedAt);
  await server.sql("SELECT pg_reload_conf()");
  // The server reads its settings first and this file right after, before it lets anyone in.
  await waitFor(async () => (await server.sql(loadedAt)) !== before);
}

/** By which method the server would let this login in: its first message after ours (PostgreSQL docs, protocol). */
async function answer(
  { port, folder }: PostgresServer,
  login: Pick<HbaQuery, "address" | "database" | "user" | "replication">,
): Promise<string> {
  const { address, database, user, replication } = login;
  const socket =
    address === null
      ? connect({ path: join(folder, `.s.PGSQL.${port}`) })
      : connect({ host: "127.0.0.1", port, localAddress: address });
  const mode = replication ? ["replication", "true"] : [];
  const body = [...["user", user, "database", database, ...mode], "", ""].join("\0");
  const head = Buffer.alloc(8);
  head.writeInt32BE(8 + body.length, 0);
  head.writeInt32BE(196_608, 4);
  socket.write(Buffer.concat([head, Buffer.from(body, "latin1")]));
  const [message] = (await once(socket, "data")) as [Buffer]; // what "data" gives
  socket.destroy();
  if (message[0] === 0x45) {
    const reason = message.toString("latin1");
    return reason.includes("no pg_hba.conf entry")
      ? "none"
      : reason.replace(/.*rejects.*/s, "reject");
  }
  const methods: Readonly<Record<number, string>> = {
    0: "trust",
    3: "password",
    10: "scram-sha-256",
  };
  return methods[message.readInt32BE(5)] ?? "another";
}
