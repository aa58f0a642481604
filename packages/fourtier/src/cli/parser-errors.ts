/** What the command line's parser complains of, in the form of all other errors; loaded where there is something to complain of. */

import { FourtierError, nearest } from "@fourtier/tensor"
import type { CommanderError } from "commander"

/**
 * What the parser complains of, as the other errors have it: where, what, expected, found, fix.
 *
 * @param args the arguments, to tell which option took what was meant as an argument
 */
export function complaintOfParser({ code, message }: CommanderError, args: readonly string[]): FourtierError {
  const text = message.replace(/^error: /, "")
  const [what, hint] = text.split("\n")
  const help = `fourtier ${verbOf(args)}--help shows all options`
  const meant = /Did you mean (.+)\?/.exec(hint ?? "")?.[1]
  const fix = meant === undefined ? help : `did you mean ${meant}?`
  const named = /^(?:option|command-argument value|argument) ?'([^']+)'/.exec(text)?.[1]
  if (code === "commander.invalidArgument") {
    const [, value = "", reason = ""] = /'([^']*)' is invalid(?: for argument '[^']*')?\. (.*)$/.exec(what) ?? []
    const choices = /^Allowed choices are (.*)\.$/.exec(reason)?.[1]
    const near = choices === undefined ? undefined : nearest(value, choices.split(", "))
    return new FourtierError({
      where: flagOf(named ?? "argument"),
      what: choices === undefined ? "not allowed" : "no such choice",
      expected: choices === undefined ? lowered(reason).replace(/^expected /, "") : `one of ${choices}`,
      found: value,
      fix: near === undefined ? help : `did you mean ${near}?`,
    })
  }
  const quoted = /'([^']*)'/.exec(what)?.[1] ?? ""
  if (code === "commander.missingArgument") {
    const greedy = args.findLast((arg) => ["--exclude", "-i", "--input"].includes(arg))
    const taken = greedy === undefined ? help : `put <${quoted}> before ${greedy}, which takes all that follows it`
    return new FourtierError({ where: `<${quoted}>`, what: "an argument is missing", fix: taken })
  }
  if (code === "commander.unknownOption") return new FourtierError({ where: quoted, what: "no such option", fix })
  if (code === "commander.unknownCommand") return new FourtierError({ where: quoted, what: "no such command", fix })
  if (code === "commander.missingMandatoryOptionValue") {
    return new FourtierError({ where: flagOf(quoted), what: "this option is required", expected: quoted, fix })
  }
  if (code === "commander.optionMissingArgument") {
    return new FourtierError({ where: flagOf(quoted), what: "this option needs a value", expected: quoted, fix })
  }
  return new FourtierError({ what: lowered(what.replace(/\.$/, "")), fix })
}

/** "-k, --top <n>" is called --top. */
function flagOf(flags: string): string {
  return /--[\w-]+/.exec(flags)?.[0] ?? flags.split(/[ ,]/)[0]
}

const lowered = (text: string) => `${text.slice(0, 1).toLowerCase()}${text.slice(1)}`.replace(/\.$/, "")

function verbOf([verb = ""]: readonly string[]): string {
  return /^[a-z]+$/.test(verb) ? `${verb} ` : ""
}
