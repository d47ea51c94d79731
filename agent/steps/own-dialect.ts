import type { Dialect } from "#shared/products/product.ts";
import type { StepContext } from "../ports.ts";

/** Version of this host's own server; asks it where no connection has been made yet. @throws Failure DATABASE_UNREACHABLE */
export async function ownVersion({ databases }: Pick<StepContext, "databases">): Promise<number> {
  if (databases.own.versionNumber === null) await databases.own.query("SELECT 1 AS one");
  return databases.own.versionNumber ?? 0;
}

export async function ownDialect(
  context: Pick<StepContext, "databases" | "product">,
): Promise<Dialect> {
  return context.product.dialect(await ownVersion(context));
}
