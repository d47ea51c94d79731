import * as z from "zod";
import type { Connection } from "./connection.ts";
import type { AgentRecord, Store } from "./store.ts";

const AgentRow = z
  .object({ node: z.string(), secret_hash: z.string(), joined_at: z.number() })
  .transform((row): AgentRecord => ({
    node: row.node,
    secretHash: row.secret_hash,
    joinedAt: row.joined_at,
  }));
const TokenRow = z.object({
  node: z.string(),
  expires_at: z.number(),
  used_at: z.number().nullable(),
});

type TrustRecords = Pick<Store, "createToken" | "redeemToken" | "putAgent" | "agent" | "agents">;

/** Tokens and agents' secrets, as hashes only. */
export function trustRecords(db: Connection): TrustRecords {
  return {
    createToken: (token) => {
      db.run("INSERT INTO token (hash, node, created_at, expires_at) VALUES (?, ?, ?, ?)", [
        token.hash,
        token.node,
        token.createdAt,
        token.expiresAt,
      ]);
    },
    redeemToken: (hash, node, now) =>
      db.transaction(() => {
        const row = db.get("SELECT node, expires_at, used_at FROM token WHERE hash = ?", [hash]);
        if (row === undefined) return "unknown";
        const token = TokenRow.parse(row);
        if (token.node !== node) return "other-node";
        if (token.used_at !== null) return "used";
        if (token.expires_at <= now) return "expired";
        db.run("UPDATE token SET used_at = ? WHERE hash = ?", [now, hash]);
        return "ok";
      }),
    putAgent: (agent) => {
      db.run(
        `INSERT INTO agent (node, secret_hash, joined_at) VALUES (?, ?, ?)
         ON CONFLICT (node) DO UPDATE SET secret_hash = excluded.secret_hash, joined_at = excluded.joined_at`,
        [agent.node, agent.secretHash, agent.joinedAt],
      );
    },
    agent: (node) => {
      const row = db.get("SELECT node, secret_hash, joined_at FROM agent WHERE node = ?", [node]);
      return row === undefined ? null : AgentRow.parse(row);
    },
    agents: () =>
      db
        .all("SELECT node, secret_hash, joined_at FROM agent ORDER BY node")
        .map((row) => AgentRow.parse(row)),
  };
}
