/** Turns zod's issues with the merged settings into one error that a user can act on. */

import { type Complaint, FourtierError } from "@fourtier/tensor"
import type { z } from "zod"
import { dotted, expectation, nodeAt, type Path, type SchemaNode, suggestion, valueAt } from "./schema.ts"

type Issue = z.core.$ZodIssue
interface Located {
  issue: Issue
  path: Path
}

/** What was checked, and what is known of it. */
export interface CheckedSettings {
  root: SchemaNode
  /** The merged settings. */
  input: unknown
  /** By dotted path, the layer that set it. */
  origins: ReadonlyMap<string, string>
  /** New names of settings by their old ones, as dotted paths. */
  renamed: Readonly<Record<string, string>>
}

/** One error for all issues. */
export function complaintOf(issues: readonly Issue[], checked: CheckedSettings): FourtierError {
  const { origins } = checked
  const complaints = issues
    .flatMap((issue) => flatten(issue, []))
    .flatMap((located) => explain(located, checked))
    .map(({ path, ...complaint }): Complaint => {
      const source = innermost(path, origins)
      return { ...complaint, where: source === undefined ? dotted(path) : `${dotted(path)} (${source})` }
    })
  if (complaints.length === 1) return new FourtierError(complaints[0])
  const list = complaints.map((complaint) => new FourtierError(complaint).message.replaceAll("\n", "\n  "))
  return new FourtierError({ what: `${complaints.length} settings are wrong\n  ${list.join("\n  ")}` })
}

function innermost(path: Path, origins: ReadonlyMap<string, string>): string | undefined {
  const lengths = path.map((_, i) => path.length - i)
  return lengths.map((length) => origins.get(dotted(path.slice(0, length)))).find((source) => source !== undefined)
}

/** Issues with full paths; those of a union's one fitting variant instead of "no variant fits". */
function flatten(issue: Issue, prefix: Path): Located[] {
  const path = [...prefix, ...issue.path.map((part) => (typeof part === "number" ? part : String(part)))]
  if (issue.code === "invalid_union") {
    const fitting = issue.errors.filter((branch) =>
      branch.every((inner) => inner.path.length > 0 || inner.code === "unrecognized_keys"),
    )
    const best = fitting.sort((a, b) => a.length - b.length)[0]
    if (best !== undefined && best.length > 0) return best.flatMap((inner) => flatten(inner, path))
  }
  return [{ issue, path }]
}

function explain({ issue, path }: Located, checked: CheckedSettings): (Complaint & { path: Path })[] {
  const { root, input } = checked
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => explainUnknown(path, key, checked))
  const found = valueAt(input, path)
  const node = nodeAt(root, path, input)
  const expected = node === undefined ? issue.message : expectation(node)
  if (found === undefined) return [{ path, what: "missing setting", expected }]
  if (issue.code === "custom") return [{ path, what: issue.message, found: show(found) }]
  return [
    {
      path,
      what: whatIsWrong(issue),
      expected: issue.code === "invalid_format" ? issue.message : expected,
      found: show(found),
    },
  ]
}

function explainUnknown(
  parent: Path,
  key: string,
  { root, input, renamed }: CheckedSettings,
): Complaint & { path: Path } {
  const path = [...parent, key]
  const old = dotted(path)
  if (Object.hasOwn(renamed, old)) {
    return { path, what: "this setting has a new name", fix: `write ${renamed[old]} instead` }
  }
  const fix = suggestion(root, parent, key, input)
  return { path, what: "unknown setting", ...(fix === undefined ? {} : { fix }) }
}

function whatIsWrong(issue: Issue): string {
  if (issue.code === "invalid_type") return "wrong type"
  if (issue.code === "too_small") return "too small"
  if (issue.code === "too_big") return "too big"
  return "not allowed"
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  const short = text.length > 80 ? `${text.slice(0, 77)}...` : text
  if (value === null) return "null"
  if (Array.isArray(value)) return `${short} (a list)`
  if (typeof value === "number") return String(value)
  return `${short} (${typeof value === "object" ? "a group" : typeof value === "string" ? "a string" : typeof value})`
}
