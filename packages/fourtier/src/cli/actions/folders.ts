/** Where results about a data set are kept unless an option says otherwise. */

import { basename, join, resolve } from "node:path"

/** The folder of a data set's runs: `runs/<name of the data>`. */
export function runFolder(data: string): string {
  return join("runs", basename(resolve(data)))
}

/** The manifest of a data set: `runs/<name of the data>/manifest.jsonl`. */
export function defaultManifest(data: string): string {
  return join(runFolder(data), "manifest.jsonl")
}
