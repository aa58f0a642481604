/** Paths as messages show them. */

import { homedir } from "node:os"
import { isAbsolute, join, relative, sep } from "node:path"

/**
 * A path as a reader knows it: relative where it is in the working directory, with `~` where it is in the home folder, else as it is.
 *
 * @param windows whether `~` means nothing to the shell
 */
export function shownPath(path: string, windows = process.platform === "win32"): string {
  const near = within(process.cwd(), path)
  if (near !== null) return near
  const fromHome = windows ? null : within(homedir(), path)
  return fromHome === null ? path : join("~", fromHome)
}

/** The path relative to a folder that holds it; null where none does. */
function within(folder: string, path: string): string | null {
  const way = relative(folder, path)
  return way === "" || way === ".." || way.startsWith(`..${sep}`) || isAbsolute(way) ? null : way
}
