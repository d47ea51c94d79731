import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { bootSystemdHost, systemdRunning } from "#test/harness/systemd-host.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { lab } from "./support/harness-lab.ts";

describe("hosts made of namespaces", () => {
  test("commands run as the user they name, see their own host and end at their limit", async () => {
    const bed = await lab("namespaces");
    const host = bed.host("srv127");
    const { stdout } = await host.exec(["sh", "-c", "id -un; hostname; echo $SECRET; cat"], {
      user: "kingbase",
      env: { SECRET: "from the environment" },
      input: "from input",
    });
    expect(stdout.split("\n")).toEqual([
      "kingbase",
      "srv127",
      "from the environment",
      "from input",
    ]);
    await expect(host.exec(["sleep", "60"], { timeoutMs: 200 })).rejects.toThrow(/within 200 ms/);
    await expect(host.exec(["false"])).rejects.toThrow(/ended with 1/);
    expect((await host.exec(["false"], { reject: false })).exitCode).toBe(1);
    await waitFor(async () => {
      const { stdout: list } = await host.exec(["ps", "-e", "-o", "comm="]);
      return list.split("\n").filter((name) => name === "sleep").length === 1;
    });
  });

  test("what a host writes is its own, and stays over a power loss", async () => {
    const bed = await lab("namespaces");
    const [one, two] = [bed.host("srv127"), bed.host("srv129")];
    await one.writeFile("/etc/cron.d/EXAMPLE", "# one\n", { mode: 0o644 });
    await one.makeDirectory("/home/kingbase/cluster", { owner: "kingbase", mode: 0o700 });
    await one.exec(["sh", "-c", "echo x > /home/kingbase/cluster/file"], { user: "kingbase" });
    await one.exec(["sh", "-c", "echo x > /run/gone; echo x > /dev/shm/gone"]);
    expect(two.exists("/etc/cron.d/EXAMPLE")).toBe(false);
    expect(existsSync("/etc/cron.d/EXAMPLE")).toBe(false);
    await one.powerOff();
    expect(one.isUp()).toBe(false);
    await expect(one.exec(["true"])).rejects.toThrow(/powered off/);
    await one.boot();
    expect(await one.readFile("/etc/cron.d/EXAMPLE")).toBe("# one\n");
    expect(await one.readFile("/home/kingbase/cluster/file")).toBe("x\n");
    expect(one.exists("/run/gone") || one.exists("/dev/shm/gone")).toBe(false);
  });

  test("a dead process is reaped at once, and a host dies without a goodbye on the network", async () => {
    const bed = await lab("namespaces");
    const [one, two] = [bed.host("srv127"), bed.host("srv129")];
    await one.exec(["sh", "-c", "(sleep 0.05 &) ; exit 0"]);
    await waitFor(async () => !(await one.exec(["ps", "-e"])).stdout.includes("defunct"));
    const server = `require("net").createServer((s) => s.write("hello")).listen(7000, () => console.log("up"))`;
    const listener = await two.spawn([two.nodePath, "-e", server]);
    await new Promise((resolve) => listener.stdout?.once("data", resolve));
    const client = `const s = require("net").connect(7000, "srv129");
      s.on("data", () => console.log("data")); s.on("close", () => console.log("closed"));
      s.on("error", (e) => console.log(e.code)); setTimeout(() => process.exit(0), 1500);`;
    const watcher = await one.spawn([one.nodePath, "-e", client]);
    let seen = "";
    watcher.stdout?.on("data", (chunk: Buffer) => (seen += chunk.toString()));
    await waitFor(() => seen.includes("data"));
    await two.powerOff();
    expect(listener.isRunning()).toBe(false);
    await watcher.exited;
    expect(seen).toBe("data\n");
  });

  test("a cable can be cut and mended, and a packet filter loaded, on one host alone", async () => {
    const bed = await lab("namespaces");
    const [one, two] = [bed.host("srv127"), bed.host("srv129")];
    const ping = async (from: typeof one, to: string): Promise<boolean> =>
      (await from.exec(["ping", "-c1", "-W1", to], { reject: false })).exitCode === 0;
    expect(await ping(one, "srv129")).toBe(true);
    expect(await ping(one, bed.gateway)).toBe(true);
    await two.cutLink();
    expect(await ping(one, "srv129")).toBe(false);
    expect(await ping(one, "srv159")).toBe(true);
    await two.healLink();
    expect(await ping(one, "srv129")).toBe(true);
    await one.nft(
      `table inet t { chain in { type filter hook input priority 0; ip saddr ${two.address} drop; }; }`,
    );
    expect(await ping(one, "srv129")).toBe(false);
    expect(await ping(two, "srv159")).toBe(true);
  });
});

describe("a host with systemd", () => {
  test("keeps its services to itself when others run beside it", async () => {
    const bed = await lab("namespaces");
    const pair = [bed.host("srv127"), bed.host("srv129")] as const;
    const unit = "[Service]\nExecStart=/usr/bin/sleep infinity\n";
    for (const host of pair) await host.writeFile("/etc/systemd/system/same.service", unit);
    await Promise.all(pair.map((host) => bootSystemdHost(host)));
    for (const host of pair) await host.exec(["systemctl", "start", "same.service"]);
    await pair[0].exec(["systemctl", "stop", "same.service"]);
    const active = ["systemctl", "is-active", "same.service"];
    expect((await pair[1].exec(active)).stdout).toBe("active");
  });

  test("boots to running, starts enabled units by itself and keeps its disk over a power loss", async () => {
    const bed = await lab("namespaces");
    const host = bed.host("srv127");
    await host.writeFile("/etc/systemd/system/probe.service", probeUnit);
    await bootSystemdHost(host);
    expect((await host.exec(["cat", "/proc/1/comm"])).stdout).toBe("systemd");
    await host.exec(["systemctl", "enable", "--now", "probe.service"]);
    const marks = async (): Promise<number> =>
      host.exists("/srv/marks") ? (await host.readFile("/srv/marks")).length : 0;
    await waitFor(async () => (await marks()) === 2);
    const { stdout: user } = await host.exec(["systemctl", "show", "-P", "User", "probe.service"]);
    expect(user).toBe("kingbase");
    expect((await host.exec(["ping", "-c1", "-W1", "srv129"])).exitCode).toBe(0);
    await host.powerOff();
    await host.boot("systemd");
    await systemdRunning(host);
    await waitFor(async () => (await marks()) === 4);
  });
});

const probeUnit = `[Service]
Type=oneshot
RemainAfterExit=yes
User=kingbase
ExecStartPre=+/bin/sh -c "echo x >> /srv/marks; chmod a+w /srv/marks"
ExecStart=/usr/bin/id
[Install]
WantedBy=multi-user.target
`;
