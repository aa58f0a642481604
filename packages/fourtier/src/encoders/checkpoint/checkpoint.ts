/**
 * Checkpoint files of every format, as tensors by name:
 *
 *   file ──first bytes──┬── safetensors ──────────────┐
 *                       ├── ZIP: torch, TorchScript ──┼── keys, shapes, types ── read(name)
 *                       ├── older torch ──────────────┤
 *                       └── JSON: an index of files ──┘
 *
 * Opening reads the structure only; `read` reads one tensor's bytes. Nothing in a file is ever executed.
 */

import { type FileHandle, open } from "node:fs/promises"
import { FourtierError } from "@fourtier/tensor"
import { openFile, Safetensors, type StoredTensor, type StoredType, toFloat32 } from "@fourtier/tensor/node"
import { chooseNames } from "./choice.ts"
import { corrupt } from "./errors.ts"
import { readShardIndex } from "./shards.ts"
import { spellingOf } from "./spelling.ts"
import { findState } from "./state.ts"
import { looksLikeLegacyTorch, readTorchLegacy, readTorchZip, type TorchFormat, TorchTensors } from "./torch.ts"
import type { TensorRef } from "./values.ts"
import { looksLikeZip } from "./zip.ts"

/** Which of a file's tensors are meant. */
export interface CheckpointPart {
  /** The section to take, for example "model_ema" or "ema.state_dict". Without it, the usual names are tried. */
  section?: string
  /** Only names that begin with this, without it: for example "visual.". Without it, wrappers are dropped; "": nothing is. */
  prefix?: string
}

export interface CheckpointOptions extends CheckpointPart {
  /** Sections to try before the usual ones, the wanted one first; one that is cut short beside another is passed over. */
  preferred?: readonly string[]
  /** Whether tensors are checked against the checksums in the file. Only files written without them need `false`. */
  verify?: boolean
}

interface Entry {
  type: StoredType
  shape: readonly number[]
  read(): Promise<StoredTensor>
}

/** A file's tensors by the names in it. */
interface Content {
  format: "safetensors" | TorchFormat
  section: string
  otherSections: readonly string[]
  entries: ReadonlyMap<string, Entry>
  close(): Promise<void>
}

/** An open checkpoint file. Reads may overlap. */
export class Checkpoint {
  readonly path: string
  readonly format: "safetensors" | TorchFormat
  /** Where in the file the weights were found: "model", "state_dict", ..., or "" for the root. */
  readonly section: string
  /** Sections that hold weights of a network, too: `section` takes one of them. */
  readonly otherSections: readonly string[]
  /** Before the names that were taken, where others were left out: "model.". */
  readonly prefix: string
  /** What begins the names that were left out unasked: `prefix` takes one of them. */
  readonly otherPrefixes: readonly string[]
  /** The names in the file by those used here. */
  readonly originals: ReadonlyMap<string, string>
  readonly #entries: ReadonlyMap<string, Entry>
  readonly #close: () => Promise<void>

  private constructor(path: string, content: Content, { prefix, preferred }: CheckpointOptions) {
    const choice = chooseNames([...content.entries.keys()], path, prefix, preferred)
    const entries = new Map<string, Entry>()
    for (const [name, original] of choice.names) {
      const entry = content.entries.get(original)
      if (entry) entries.set(name, entry)
    }
    this.path = path
    this.format = content.format
    this.section = content.section
    this.otherSections = content.otherSections
    this.prefix = choice.prefix
    this.otherPrefixes = choice.leftOut
    this.originals = choice.names
    this.#entries = entries
    this.#close = content.close
  }

  static async open(path: string, options: CheckpointOptions): Promise<Checkpoint> {
    const content = await openContent(path, options)
    try {
      return new Checkpoint(path, content, options)
    } catch (error) {
      await content.close()
      throw error
    }
  }

  /** Names of all tensors, in the file's order. */
  get keys(): string[] {
    return [...this.#entries.keys()]
  }

  /** Shape of every tensor, as `matchWeights` takes it. */
  get shapes(): Map<string, readonly number[]> {
    return new Map([...this.#entries].map(([name, entry]) => [name, entry.shape]))
  }

  has(name: string): boolean {
    return this.#entries.has(name)
  }

  shape(name: string): readonly number[] {
    return this.#entry(name).shape
  }

  dtype(name: string): StoredType {
    return this.#entry(name).type
  }

  /** A tensor's elements as float32, in C order. @throws FourtierError for unknown names and damaged data */
  async read(name: string): Promise<Float32Array> {
    return toFloat32(await this.readStored(name))
  }

  /** A tensor as stored, in C order. */
  async readStored(name: string): Promise<StoredTensor> {
    return this.#entry(name).read()
  }

  async close(): Promise<void> {
    await this.#close()
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name)
    if (!entry) {
      const spelled = spellingOf(this.originals)(name)
      throw new FourtierError({ where: this.path, what: `no tensor named ${spelled}` })
    }
    return entry
  }
}

/**
 * Opens a `.safetensors`, `.pt`, `.pth`, `.pyth` or `.bin` file, or the `.index.json` of one in several files; the content
 * decides, not the name. In PyTorch files the state dictionary may be nested under `model`, `module`, `model_state`,
 * `state_dict`, ...; `module.`, `_orig_mod.` and `model.` before all names are dropped (docs/checkpoints.md).
 *
 * @throws FourtierError for anything but weights in a known format, and where nothing tells which weights are meant
 *
 * @example
 * ```ts
 * import { openCheckpoint } from "fourtier/encoders"
 *
 * const checkpoint = await openCheckpoint("ViT-B-16.pt")
 * const weight = await checkpoint.read("visual.conv1.weight") // Float32Array, shape as in checkpoint.shape(name)
 * await checkpoint.close()
 * ```
 */
export async function openCheckpoint(path: string, options: CheckpointOptions = {}): Promise<Checkpoint> {
  return Checkpoint.open(path, options)
}

async function openContent(path: string, options: CheckpointOptions): Promise<Content> {
  const file = await openFile(path, () => open(path, "r"))
  let keep = false
  try {
    const start = Buffer.alloc(64)
    const { bytesRead } = await file.read(start, 0, start.length, 0)
    const head = start.subarray(0, bytesRead)
    if (looksLikeZip(head) || looksLikeLegacyTorch(head)) {
      const content = await openTorch(file, path, looksLikeZip(head), options)
      keep = true
      return content
    }
    if (looksLikeSafetensors(head)) return await openSafetensors(path, options)
    if (head.toString("latin1").trimStart().startsWith("{")) return await openShards(path, options)
    throw unknownFormat(path, head)
  } finally {
    if (!keep) await file.close()
  }
}

async function openTorch(
  file: FileHandle,
  path: string,
  isZip: boolean,
  { section: wanted, verify = true, preferred }: CheckpointOptions,
): Promise<Content> {
  const { format, root } = isZip ? await readTorchZip(file, path) : await readTorchLegacy(file, path)
  const { section, others, tensors } = findState(root, path, wanted, preferred)
  const reader = new TorchTensors(file, path, verify)
  const entries = new Map([...tensors].map(([name, ref]): [string, Entry] => [name, torchEntry(reader, name, ref)]))
  return { format, section, otherSections: others, entries, close: () => file.close() }
}

function torchEntry(reader: TorchTensors, name: string, ref: TensorRef): Entry {
  return { type: ref.type, shape: ref.shape, read: () => reader.read(name, ref) }
}

async function openSafetensors(path: string, { section }: CheckpointOptions): Promise<Content> {
  if (section) throw sectionless(path, section)
  const file = await Safetensors.open(path)
  const entries = new Map<string, Entry>()
  for (const name of file.keys) {
    const { type, shape } = file.entry(name)
    entries.set(name, { type, shape, read: () => file.read(name) })
  }
  return { format: "safetensors", section: "", otherSections: [], entries, close: () => file.close() }
}

/** The files of an index as one: each has the names that the index says. */
async function openShards(path: string, { section, verify }: CheckpointOptions): Promise<Content> {
  const { files } = await readShardIndex(path)
  if (section) throw sectionless(path, section)
  const opened: Content[] = []
  const close = async () => {
    for (const content of opened) await content.close()
  }
  try {
    const entries = new Map<string, Entry>()
    for (const [file, names] of files) {
      const content = await openContent(file, { section: "", verify })
      opened.push(content)
      for (const name of names) {
        const entry = content.entries.get(name)
        if (!entry)
          throw new FourtierError({ where: file, what: `no tensor named ${name}, which ${path} says is here` })
        entries.set(name, entry)
      }
    }
    const format = opened.at(0)?.format ?? "safetensors"
    return { format, section: "", otherSections: [], entries, close }
  } catch (error) {
    await close()
    throw error
  }
}

function sectionless(path: string, section: string): FourtierError {
  return new FourtierError({
    where: path,
    what: `no section named ${section}`,
    found: "a flat safetensors file, or one in several files: only names",
    fix: `leave the section out; if names begin with ${section}., set the prefix`,
  })
}

/** A plausible header length, then an object. */
function looksLikeSafetensors(head: Buffer): boolean {
  return head.length >= 9 && head[8] === 0x7b && head.readUInt32LE(4) === 0
}

function unknownFormat(path: string, head: Buffer): FourtierError {
  const text = head.toString("latin1")
  if (head.length === 0) return corrupt(path, "an empty file")
  if (text.startsWith("version https://git-lfs")) {
    const fix = "fetch the file itself: git lfs pull, or download it from the hub"
    return new FourtierError({ where: path, what: "only a pointer to the file (Git LFS)", fix })
  }
  if (/^\s*<(!doctype|html)/i.test(text)) {
    const fix = "the download gave an error page: fetch the file again"
    return new FourtierError({ where: path, what: "a web page instead of a checkpoint", fix })
  }
  return new FourtierError({
    where: path,
    what: "unknown checkpoint format",
    expected: "safetensors, or a file of torch.save or torch.jit.save",
    found: `bytes ${head.subarray(0, 8).toString("hex")}...`,
  })
}
