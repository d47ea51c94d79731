import type { GuardView } from "./view.ts";

/** What is not as it should be, here or at the others, for a closer look; empty where all is well. */
export function unrest({
  facts: { database, pool },
  cluster,
  node,
  peers,
  pools,
}: Pick<GuardView, "facts" | "cluster" | "node" | "peers" | "pools">): readonly string[] {
  const { status, role, receiver } = database;
  const ofOthers = (cluster?.nodes ?? []).flatMap(({ name }) => {
    if (name === node) return [];
    const seen = peers.find((peer) => peer.node === name);
    if (seen === undefined) return [`${name} not seen`];
    if (seen.database === "standby" && seen.upstream === null) return [`${name} follows nobody`];
    if (seen.database === "primary" && role === "primary") return [`${name} is a primary too`];
    return seen.database === "primary" || seen.database === "standby" ? [] : [`${name} ${seen.database}`]; // prettier-ignore
  });
  const ofPools = pools.flatMap(({ node: name, status, rows }) => [
    ...(status === "answers" ? [] : [`pool of ${name} ${status}`]),
    ...rows.flatMap((row) => (row.status === "down" ? [`row ${row.id} of ${name} down`] : [])),
  ]);
  const followsNobody = role === "standby" && receiver?.status !== "streaming";
  return [
    ...(status === "running" || status === "absent" ? [] : [`here ${status}`]),
    ...(status === "running" && followsNobody ? ["here follows nobody"] : []),
    ...(pool === null || pool.status === "running" ? [] : [`pool here ${pool.status}`]),
    ...ofOthers,
    ...ofPools,
  ];
}
