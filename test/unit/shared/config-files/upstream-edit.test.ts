import { expect, test } from "vitest";
import { confTo, conninfoTo } from "#shared/config-files/upstream-edit.ts";

const to = { host: "192.168.4.129", port: 54321 };

test("only host and port of the connection change, wherever they stood", () => {
  expect(
    conninfoTo(
      "port=54321 host=192.168.4.127 user=SYSTEM password=MTIz application_name=srv159",
      to,
    ),
  ).toBe("port=54321 host=192.168.4.129 user=SYSTEM password=MTIz application_name=srv159");
  // An address beside the host would overrule it.
  expect(conninfoTo("hostaddr=192.168.4.127 passfile='/a b'", to)).toBe(
    "passfile='/a b' host=192.168.4.129 port=54321",
  );
  expect(conninfoTo("host='never ended", to)).toBeNull();
});

test("a file keeps every other byte, and one without a connection is not touched", () => {
  const text = "# mine\nstandby_mode = 'on'\nprimary_conninfo ='host=192.168.4.127 port=54321' # old\nprimary_slot_name ='slot_srv159'\n"; // prettier-ignore
  expect(confTo(text, to)).toBe(text.replace("4.127", "4.129"));
  expect(confTo("#primary_conninfo = 'host=a'\n", to)).toBeNull();
});
