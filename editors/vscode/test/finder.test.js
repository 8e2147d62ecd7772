"use strict";
const assert = require("node:assert/strict");
const { test } = require("node:test");
const { findRemora } = require("../src/finder");

const POSIX = { platform: "linux", python: "/env/bin/python", searchPath: "relative:/usr/bin:/opt/bin" };
const WINDOWS = { platform: "win32", python: "C:\\env\\Scripts\\python.exe", searchPath: "C:\\bin;bin" };
const CONDA = { ...WINDOWS, python: "C:\\conda\\python.exe" };

const cases = [
  ["the setting wins", { ...POSIX, setting: "/my/remora" }, ["/my/remora", "/env/bin/remora"], "/my/remora"],
  ["then the selected Python's environment", POSIX, ["/env/bin/remora", "/usr/bin/remora"], "/env/bin/remora"],
  ["then the first on the PATH", POSIX, ["/opt/bin/remora", "/usr/bin/remora"], "/usr/bin/remora"],
  ["a relative folder of the PATH is passed over", POSIX, ["relative/remora"], undefined],
  ["no Python is selected", { ...POSIX, python: undefined }, ["/env/bin/remora", "/opt/bin/remora"], "/opt/bin/remora"],
  ["there is none", POSIX, [], undefined],
  ["there is no PATH", { platform: "linux" }, [], undefined],
  ["Windows", WINDOWS, ["C:\\env\\Scripts\\remora.exe"], "C:\\env\\Scripts\\remora.exe"],
  ["conda on Windows", CONDA, ["C:\\conda\\Scripts\\remora.exe"], "C:\\conda\\Scripts\\remora.exe"],
  ["the PATH on Windows", WINDOWS, ["C:\\bin\\remora.exe", "bin\\remora.exe"], "C:\\bin\\remora.exe"],
];

for (const [name, places, files, expected] of cases) {
  test(name, () => {
    assert.equal(findRemora({ ...places, isFile: (file) => files.includes(file) }), expected);
  });
}

test("a setting that names nothing is told, not passed over", () => {
  const places = { ...POSIX, setting: "/gone/remora", isFile: (file) => file === "/usr/bin/remora" };
  assert.throws(() => findRemora(places), /remora\.path names \/gone\/remora/);
});
