import { expect, test } from "vitest";
import { cronFile, encodePassword, haModule } from "#test/harness/kingbase/ha-module.ts";

const input = {
  root: "/home/kingbase/cluster/ESHA",
  address: "192.168.4.129",
  nodeName: "srv129",
  nodes: [
    { name: "srv127", address: "192.168.4.127" },
    { name: "srv129", address: "192.168.4.129" },
  ],
  pools: ["192.168.4.127", "192.168.4.129"],
  device: "eth0",
  gateway: "192.168.4.1",
  vip: "192.168.4.220/24",
  poolVip: "192.168.4.201",
  port: 54321,
  database: "TEST",
  osUser: "kingbase",
  pcpPassword: "123456",
  maintenanceUser: "SUPERMANAGER_V8ADMIN",
  maintenancePassword: "KINGBASEADMIN",
  isSynchronous: false,
} as const;

test("a password is base64 without a trailing newline, as the case study has it", () => {
  expect(encodePassword("123456")).toBe("MTIzNDU2");
  expect(encodePassword("KINGBASEADMIN")).toBe("S0lOR0JBU0VBRE1JTg==");
});

test("HAmodule.conf is read by the vendor's rules: no blank around '=', no '#' in a line with a value, a newline at the end", () => {
  const text = haModule(input);
  const settings = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  for (const line of settings) expect(line).toMatch(/^[A-Z_0-9]+=("[^"#$`\\]*"|\([^#"]*\)|\d+)$/);
  expect(settings).toContain("KB_ALL_IP=(192.168.4.127 192.168.4.129)");
  expect(settings).toContain("ALL_NODE_NAME=(srv127 srv129)");
  expect(settings).toContain('KB_LOCALHOST_IP="192.168.4.129"');
  expect(text.endsWith("\n")).toBe(true);
});

test("the cron file has the vendor's lines with two blanks before the command, commented when not active", () => {
  const management = { isManagement: true, active: true };
  expect(cronFile("/r", "kingbase", management)).toBe(
    "*/1 * * * * kingbase  /r/db/bin/network_rewind.sh\n" +
      "*/1 * * * * root  /r/kingbasecluster/bin/restartcluster.sh\n",
  );
  expect(cronFile("/r", "kingbase", { isManagement: false, active: false })).toBe(
    "#*/1 * * * * kingbase  /r/db/bin/network_rewind.sh\n",
  );
});
