/**
 * Several commands in one process: runs the compiled command line for each list of arguments in a JSON array on standard input,
 * one after the other, and prints what each has answered as JSON.
 */

import { readFileSync } from "node:fs"
import { pathToFileURL } from "node:url"

const [main] = process.argv.slice(2)
const lists = JSON.parse(readFileSync(0, "utf8"))
const streams = { out: process.stdout, err: process.stderr }
const print = process.stdout.write.bind(process.stdout)
// each command listens to errors of standard output
process.stdout.setMaxListeners(lists.length + 10)

const answers = []
for (const [i, args] of lists.entries()) {
  const answer = { code: null, out: "", err: "" }
  for (const [name, stream] of Object.entries(streams)) {
    stream.write = (text, ...rest) => {
      answer[name] += text
      rest.findLast((one) => typeof one === "function")?.()
      return true
    }
  }
  process.argv.splice(2, process.argv.length, ...args)
  process.exitCode = 0
  // a module of another address is evaluated anew; what it imports is not
  await import(`${pathToFileURL(main)}?${i}`)
  answer.code = process.exitCode
  answers.push(answer)
}
process.exitCode = 0
print(JSON.stringify(answers))
