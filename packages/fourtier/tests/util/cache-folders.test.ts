/** Protects where the cache is: by the platform's convention, or where somebody says; an older one beside it is found. */

import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { silent } from "@fourtier/core"
import { afterEach, describe, expect, it } from "vitest"
import { cacheFolders, openCache, userCache } from "../../src/util/cache-folders.ts"
import { cacheUsers } from "../../src/util/cache-users.ts"

const before = process.cwd()
const folder = realpathSync(mkdtempSync(join(tmpdir(), "fourtier-folders-")))
afterEach(() => process.chdir(before))

describe("the user's cache", () => {
  it.each<[NodeJS.Platform, Record<string, string>, string]>([
    ["linux", {}, "/home/me/.cache/fourtier"],
    ["linux", { XDG_CACHE_HOME: "/big/cache" }, "/big/cache/fourtier"],
    ["linux", { XDG_CACHE_HOME: "relative" }, "/home/me/.cache/fourtier"],
    ["freebsd", {}, "/home/me/.cache/fourtier"],
    ["darwin", { XDG_CACHE_HOME: "/big/cache" }, "/home/me/Library/Caches/fourtier"],
    ["win32", { LOCALAPPDATA: "/home/me/local" }, "/home/me/local/fourtier/Cache"],
    ["win32", {}, "/home/me/AppData/Local/fourtier/Cache"],
    ["darwin", { FOURTIER_CACHE: "/elsewhere" }, "/elsewhere"],
    ["linux", { FOURTIER_CACHE: "" }, "/home/me/.cache/fourtier"],
  ])("on %s with %o", (platform, env, expected) => {
    expect(userCache(env, platform, "/home/me")).toBe(expected)
  })

  it("is not that of the user in any test, and the setting goes before it", () => {
    expect(cacheFolders().root).toBe(resolve(process.env.FOURTIER_CACHE ?? ""))
    expect(cacheFolders().root).toContain(tmpdir())
    expect(cacheFolders("some/folder").features).toBe(join("some", "folder", "features"))
  })
})

it("the folder .fourtier of a working directory is read where it holds a cache, and no other is named", async () => {
  process.chdir(folder)
  mkdirSync(".fourtier/bench", { recursive: true })
  expect(cacheFolders().older).toBeNull()
  mkdirSync(".fourtier/texts")
  expect(cacheFolders().older?.texts).toBe(join(folder, ".fourtier", "texts"))
  expect(cacheFolders("other").older).toBeNull()
  expect(cacheFolders(".fourtier")).toMatchObject({ root: ".fourtier", older: null })
  const said: string[] = []
  const { root } = await openCache(null, { ...silent, say: (text) => void said.push(text) })
  expect(said.join()).toMatch(/\.fourtier\/ here is the cache of an earlier version.*fourtier cache move/)
  expect(await cacheUsers(root)).toEqual([]) // this process is none of the others
  rmSync(folder, { recursive: true })
})
