/** One form for every error that a user sees, whether from the command line's parser or from the work itself. */

import { existsSync } from "node:fs"
import { homedir } from "node:os"
import { isAbsolute, relative, sep } from "node:path"
import { fileURLToPath } from "node:url"
import type { Command } from "commander"

/** Makes a command and all below it throw what is wrong with their arguments, and print nothing of it themselves. */
export function throwErrors(command: Command): void {
  command.exitOverride().configureOutput({ outputError: () => {} })
  for (const below of command.commands) throwErrors(below)
}

/**
 * The arguments with every setting after `--set` under a `--set` of its own, so that `--set seeds=1 data` leaves the data alone:
 * what has no "=" after a name is no setting.
 */
export function withSeparateSettings(args: readonly string[]): string[] {
  let setting = false
  return args.flatMap((arg, i) => {
    if (arg === "--set") {
      setting = true
      return [arg]
    }
    setting &&= /^[a-z][\w.[\]]*=/i.test(arg)
    return setting && args[i - 1] !== "--set" ? ["--set", arg] : [arg]
  })
}

/** A message in which paths below the working directory and below the home folder are as short as their reader knows them. */
export function withShownPaths(message: string): string {
  const windows = process.platform === "win32"
  const shorter = message.replaceAll(`${process.cwd()}${sep}`, "")
  return windows || homedir().length < 2 ? shorter : shorter.replaceAll(`${homedir()}${sep}`, `~${sep}`)
}

/** A message in which pages such as docs/data.md have the address at which they lie on this machine. */
export function withAddresses(message: string): string {
  return message.replaceAll(/\bdocs\/([a-z-]+\.md)\b/g, (page, name: string) => addressOf(name) ?? page)
}

/** Pages lie beside the compiled code, and in `docs` of a clone. */
function addressOf(name: string): string | null {
  const places = [`../pages/${name}`, `../../../../docs/${name}`]
  const found = places.map((place) => fileURLToPath(new URL(place, import.meta.url))).find((path) => existsSync(path))
  if (found === undefined) return null
  const near = relative(process.cwd(), found)
  return near.startsWith("..") || isAbsolute(near) ? found : near
}
