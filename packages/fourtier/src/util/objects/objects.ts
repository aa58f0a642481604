/** Objects of this process: what is known of them, and their local files. */

import { FourtierError } from "@fourtier/tensor"
import { folderOfObject } from "./address.ts"
import { ObjectCache } from "./cache.ts"
import { type ByteRange, ObjectClient, type ObjectStat } from "./client.ts"
import { isAbsent, isRefused } from "./errors.ts"

/** Objects of a folder that are looked through to find those that are wanted. */
const MOST_LISTED = 20_000
/** Folders that are listed at the same time, and objects asked after. */
const AT_ONCE = 16

let client: Promise<ObjectClient> | null = null
let cache: ObjectCache | null = null
const known = new Map<string, ObjectStat | FourtierError>()

const clientFor = (address: string) => (client ??= ObjectClient.open(address))
const objectCache = () => (cache ??= ObjectCache.ofEnvironment())

/** Forgets what is known of objects, and lets go of the connections. */
export async function closeObjects(): Promise<void> {
  const open = client
  client = null
  cache = null
  known.clear()
  await open?.then(
    (own) => own.close(),
    () => undefined,
  )
}

/** What is known of an object without asking for it. */
export function knownObject(address: string): ObjectStat | FourtierError | undefined {
  return known.get(address)
}

/** Size, time and content tag of an object: asked for once. @throws FourtierError where it is not there */
export async function statObject(address: string): Promise<ObjectStat> {
  const before = known.get(address)
  if (before instanceof FourtierError) throw before
  if (before) return before
  try {
    const found = await (await clientFor(address)).stat(address)
    known.set(address, found)
    return found
  } catch (error) {
    if (error instanceof FourtierError && (isAbsent(error) || isRefused(error))) known.set(address, error)
    throw error
  }
}

/**
 * Looks up many objects: folder by folder where that takes fewer requests, else one by one.
 * @throws FourtierError where none of them can be read for one reason: no credentials, no such bucket, no connection
 */
export async function statObjects(addresses: readonly string[]): Promise<void> {
  const byFolder = new Map<string, string[]>()
  for (const address of new Set(addresses)) {
    if (known.has(address)) continue
    const folder = folderOfObject(address)
    byFolder.set(folder, [...(byFolder.get(folder) ?? []), address])
  }
  await inTurn([...byFolder], async ([folder, wanted]) => {
    if (wanted.length > 1) await listInto(folder)
  })
  const rest = [...byFolder.values()].flat().filter((address) => !known.has(address))
  await inTurn(rest, async (address) => {
    await statObject(address).catch((error: unknown) => {
      if (!isAbsent(error) && !isRefused(error)) throw error
    })
  })
  const found = addresses.map((address) => known.get(address))
  const first = found[0]
  if (first instanceof FourtierError && isRefused(first) && found.every((one) => one instanceof FourtierError))
    throw first
}

/** Takes in a folder's objects. A folder that may not be listed is none of our business: objects may still be read. */
async function listInto(folder: string): Promise<void> {
  try {
    const { objects } = await (await clientFor(folder)).list(folder, MOST_LISTED)
    for (const [address, object] of objects) known.set(address, object)
  } catch (error) {
    if (!isRefused(error)) throw error
  }
}

async function inTurn<Item>(items: readonly Item[], use: (item: Item) => Promise<void>): Promise<void> {
  let next = 0
  const work = async () => {
    while (next < items.length) await use(items[next++])
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, work))
}

/** Objects and folders in a folder of objects. */
export async function listObjects(folder: string) {
  return (await clientFor(folder)).list(folder)
}

/** The local file of an object that is here already. */
export function heldObject(address: string, object: ObjectStat): string | null {
  return objectCache().find(address, object)
}

/** The local file of an object, or of some of its bytes; fetched where it is not here. */
export async function fetchObject(address: string, range?: ByteRange): Promise<string> {
  const object = await statObject(address)
  return objectCache().fetch(await clientFor(address), address, object, range)
}
