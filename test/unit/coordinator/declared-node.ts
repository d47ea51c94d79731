import type { NodeDeclaration, ProductId } from "#shared/domain/cluster.ts";
import { slotNameFor } from "#shared/domain/names.ts";
import { productOf } from "#shared/products/product.ts";

export type WorldOptions = {
  readonly product?: ProductId;
  readonly pool?: boolean;
  readonly loopback?: boolean;
  readonly debian?: boolean;
  readonly synchronous?: string;
  readonly vendorInCharge?: boolean;
};

export function declareNode(
  options: WorldOptions,
  name: string,
  address: string,
  backend: number | null,
): NodeDeclaration {
  const product = productOf(options.product ?? "postgresql");
  const root = product.vendor === null ? null : "/home/kingbase/cluster/ESHA";
  const base = product.layout({ root, versionNumber: product.vendor === null ? 150_000 : null });
  const own = options.loopback === true ? movedTo(base, `/srv/lab/${name}`) : base;
  const etc = "/etc/postgresql/15/main";
  return {
    name,
    address,
    port: product.defaults.port,
    slot: slotNameFor(name),
    nic: options.pool === true && options.loopback !== true ? "ens33" : null,
    paths:
      options.debian === true
        ? {
            ...own,
            configFile: `${etc}/postgresql.conf`,
            hbaFile: `${etc}/pg_hba.conf`,
            identFile: `${etc}/pg_ident.conf`,
          }
        : own,
    backendId: options.pool === true ? backend : null,
    pool: options.pool === true && backend !== null ? product.poolLayout(own.root) : null,
  };
}

function movedTo(paths: NodeDeclaration["paths"], base: string): NodeDeclaration["paths"] {
  return {
    root: paths.root === null ? null : base + paths.root,
    binDirectory: paths.binDirectory,
    dataDirectory: base + paths.dataDirectory,
    configFile: base + paths.configFile,
    hbaFile: base + paths.hbaFile,
    identFile: base + paths.identFile,
  };
}
