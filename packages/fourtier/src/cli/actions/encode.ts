/** Runs a network on arrays, to compare it with another implementation. */

import { access, readdir, rm, stat } from "node:fs/promises"
import { basename, dirname, extname, join, resolve } from "node:path"
import type { Reporter } from "@fourtier/core"
import { terminalReporter } from "@fourtier/core/node"
import { FourtierError, nonFinite } from "@fourtier/tensor"
import { readJson, readNpy, type StoredTensor, writeJson, writeNpy } from "@fourtier/tensor/node"
import { z } from "zod"
import { findWeights, joinSources } from "../../encoders/checkpoint/source.ts"
import { networkSchema } from "../../encoders/families/index.ts"
import type { EncoderNetwork } from "../../encoders/family.ts"
import { type EncodedArray, encodeArrays } from "../../encoders/run.ts"
import type { OpenSource } from "../../encoders/weights.ts"

export interface EncodeOptions {
  checkpoint: string | readonly string[]
  section?: string
  prefix?: string
  input: string[]
  out: string
  intermediates?: boolean
  threads?: number
}

/** Reads sizes, inputs and weights, runs the network and writes its outputs. */
export async function encode(config: string, options: EncodeOptions): Promise<void> {
  const reporter = terminalReporter()
  const network = await readNetwork(config)
  const inputs = await readInputs(network.inputs, options.input)
  for (const [name, { shape }] of inputs) reporter.say(`input  ${name} [${shape.join(",")}]`)
  const source = await openWeights(options, network, reporter)
  try {
    const runtime = options.threads === undefined ? {} : { threads: options.threads }
    const { outputs, intermediates } = await encodeArrays({ network, source, inputs, runtime })
    const names = [...outputs.keys()].map((name) => `${name}.npy`)
    const inner = options.intermediates ? [...intermediates.keys()].map((name) => `intermediates/${name}.npy`) : []
    await removeEarlier(options.out, [...names, ...inner], [...options.input], reporter)
    await writeAll(options.out, outputs)
    for (const [name, { shape, data }] of outputs) {
      reporter.say(`output ${name} [${shape.join(",")}]`)
      const broken = nonFinite(data, shape)
      if (broken !== null) reporter.warn(`output ${name} has values that are no finite numbers: ${broken}`)
    }
    if (options.intermediates) await writeAll(join(options.out, "intermediates"), intermediates)
    await writeJson(join(options.out, WRITTEN), [...names, ...inner])
  } finally {
    await source.close()
  }
  reporter.say(`written to ${options.out}`)
}

/** The weights of all files together. */
async function openWeights(options: EncodeOptions, network: EncoderNetwork, reporter: Reporter): Promise<OpenSource> {
  const opened: OpenSource[] = []
  try {
    for (const checkpoint of [options.checkpoint].flat()) {
      const weights = await findWeights(checkpoint, "--checkpoint", options, network.sections)
      for (const note of weights.notes) reporter.say(note)
      opened.push(await weights.open(network))
    }
    return joinSources(opened)
  } catch (error) {
    for (const source of opened) await source.close()
    throw error
  }
}

/** The network of the sizes in a JSON file. @throws FourtierError that names every wrong or missing key */
async function readNetwork(path: string): Promise<EncoderNetwork> {
  const file = (await isFolder(path)) ? join(path, "config.json") : path
  const parsed = networkSchema.safeParse(await readJson(file))
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join(".") || "file"}: ${message}`)
  throw new FourtierError({
    where: file,
    what: "not the sizes of a known network",
    found: problems.join("\n            "),
    fix: "write the keys of the network as docs/encoders.md lists them",
  })
}

/** Arrays by input name: those of the given files, then inputs next to them. */
async function readInputs(names: readonly string[], paths: readonly string[]): Promise<Map<string, StoredTensor>> {
  const files = new Map<string, string>()
  const folders: string[] = []
  for (const path of paths) {
    if (await isFolder(path)) {
      folders.push(path)
      continue
    }
    const name = names.length === 1 ? names[0] : basename(path, extname(path))
    if (!names.includes(name)) {
      throw new FourtierError({
        where: path,
        what: "the network has no input of this name",
        expected: names.map((known) => `${known}.npy`).join(", "),
      })
    }
    files.set(name, path)
    folders.push(dirname(path))
  }
  for (const folder of folders) {
    const present = new Set(await readdir(folder))
    for (const name of names) {
      if (!files.has(name) && present.has(`${name}.npy`)) files.set(name, join(folder, `${name}.npy`))
    }
  }
  const arrays = new Map<string, StoredTensor>()
  for (const name of names) {
    const path = files.get(name)
    if (path !== undefined) arrays.set(name, await readNpy(path))
  }
  if (arrays.size > 0) return arrays
  throw new FourtierError({
    where: paths.join(", "),
    what: "no inputs found",
    expected: `one of ${names.map((name) => `${name}.npy`).join(", ")}`,
  })
}

/** Lists the files of the last run in its folder, so that the next one leaves none of them behind. */
const WRITTEN = "outputs.json"

/** Removes what an earlier run wrote and this one does not; warns of arrays that others have put there. */
async function removeEarlier(folder: string, names: readonly string[], inputs: readonly string[], reporter: Reporter) {
  const list = join(folder, WRITTEN)
  const written = (await isThere(list)) ? z.array(z.string()).safeParse(await readJson(list)) : null
  for (const name of written?.data ?? []) {
    if (!names.includes(name) && /^(intermediates\/)?[^/\\]+\.npy$/.test(name))
      await rm(join(folder, name), { force: true })
  }
  const given = new Set(inputs.map((path) => resolve(path)))
  const left = (await readdir(folder).catch(() => [])).filter(
    (file) => file.endsWith(".npy") && !names.includes(file) && !given.has(resolve(folder, file)),
  )
  if (left.length > 0) reporter.warn(`${folder} also holds ${left.join(", ")}, which this run does not write`)
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null)) !== null
}

async function writeAll(folder: string, arrays: ReadonlyMap<string, EncodedArray>): Promise<void> {
  for (const [name, { shape, data }] of arrays) await writeNpy(join(folder, `${name}.npy`), "f32", shape, data)
}

async function isFolder(path: string): Promise<boolean> {
  try {
    await access(path)
  } catch (error) {
    throw new FourtierError({ where: path, what: "no such file or folder" }, { cause: error })
  }
  return (await stat(path)).isDirectory()
}
