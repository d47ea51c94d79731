import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type HbaRule, parseHba } from "#shared/config-files/hba.ts";
import { parseIp } from "#shared/config-files/ip-address.ts";
import { startPostgres } from "../agent/postgres-server.ts";
import { mostly, samples, soupOf } from "./generated.ts";

const names = mostly(
  `all|"all"|db1|a,b|a, b|a ,b|"x y"|+team|replication|sameuser|samerole`,
  `al"l"|"a"ll|""|"a""b"|a"b c"d|,a|"open|x#y`,
);
const addresses = mostly(
  "all|samehost|samenet|10.0.0.1/24|10.0.0.1 255.255.0.0|::1/128|fe80::/10|0.0.0.0/0|db.example.com",
  `10.1/16|010.0.0.9/32|0x7f.1/8|10.0.0.1|10.0.0.1/33|10.0.0.1/|.example.com|a.example/8|10.0.0.1/+8|::1 ffff::|
  10.0.0.1 ::1|::ffff:10.0.0.1/104|1.2.3.4.5|08.1/8|10.0.0.1 255.0|"all"|10.0.0.1/024|10.0.0.1/2 4|a,b|4294967295/1|`,
);
const methods = mostly(
  "md5|trust|reject|scram-sha-256|password|ident|ident map=x",
  `peer|cert|gss|md6|MD5|"trust"|md5,trust|md5 x|md5 map=x|peer map=a,b|cert clientcert=verify-full|md5 "ma"p=x|`,
);
const line = fc
  .tuple(
    mostly("host|local|hostssl|hostnossl|hostgssenc", `"host"|hots|host,local`),
    names,
    names,
    addresses,
    methods,
    mostly(" |  |\t", " \r | , "),
    mostly("| |\r", " # note|#note|\\| \\| \\\r|\\\\"),
  )
  .map(([type, database, user, address, method, blank, end]) => {
    const place = type === "local" ? [] : [address];
    return [type, database, user, ...place, method].join(blank) + end;
  });
const soup = soupOf('"| |,|#|\\|/|\t|\r|host|local|all|md5|::1/1', 12);

type Row = {
  readonly line: number;
  readonly type: string | null;
  readonly databases: readonly string[];
  readonly users: readonly string[];
  readonly address: string | null;
  readonly mask: string | null;
  readonly method: string;
  readonly error: string | null;
};

test("hba lines mean to us what they mean to PostgreSQL, and the same ones are refused", async () => {
  await using server = await startPostgres();
  const text = samples(fc.oneof({ weight: 5, arbitrary: line }, soup)).join("\n");
  await writeFile(join(server.dataDirectory, "pg_hba.conf"), text, "latin1");
  const rows = await server.sql(
    `SELECT json_agg(r) FROM (SELECT line_number AS line, type, database AS databases,
        user_name AS users, address, netmask AS mask, auth_method AS method, error
      FROM pg_hba_file_rules) r`,
  );
  const { rules, complaints, lines } = parseHba(text);
  const ours = new Map<number, unknown>(rules.map((rule) => [rule.line, meaningOf(rule)]));
  expect(ours.size).toBeGreaterThan(text.split("\n").length / 3);
  for (const { line } of complaints) ours.set(line, "refused");
  for (const row of JSON.parse(rows) as readonly Row[]) {
    const shown = `${JSON.stringify(lines[row.line - 1]?.text)} ${row.error ?? ""}`;
    // What has an error and all its columns is no fault of the line: this server has no TLS.
    expect(ours.get(row.line), shown).toEqual(row.type === null ? "refused" : meaningShown(row));
    ours.delete(row.line);
  }
  expect(ours.size).toBe(0);
});

function meaningOf({ type, databases, users, address, method }: HbaRule): unknown {
  const place =
    address?.kind === "range"
      ? [address.base.bits, address.mask]
      : address?.kind === "name"
        ? address.name
        : (address?.kind ?? null);
  return {
    type,
    databases: databases.map(({ value }) => value),
    users: users.map(({ value }) => value),
    place,
    // On a socket the server takes ident for peer.
    method: type === "local" && method === "ident" ? "peer" : method,
  };
}

function meaningShown({ type, databases, users, address, mask, method }: Row): unknown {
  const place = mask === null ? address : [parseIp(address ?? "")?.bits, parseIp(mask)?.bits];
  return { type, databases, users, place, method };
}
