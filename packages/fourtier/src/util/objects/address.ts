/** Addresses of objects: `s3://bucket/folder/jump.mp4`. */

import { resolve } from "node:path"
import { FourtierError } from "@fourtier/tensor"

export interface ObjectName {
  bucket: string
  /** Without a leading "/". */
  key: string
}

const FORM = /^s3:\/\/([^/]+)(?:\/(.*))?$/i

/** Whether a path is an address of object storage. */
export function isObject(path: string): boolean {
  return /^s3:\/\//i.test(path)
}

/** A path as it is from any working directory: an address stays. */
export function absolutePath(path: string, from = ""): string {
  return isObject(path) ? path : resolve(from, path)
}

/** @throws FourtierError for an address without a bucket */
export function nameOfObject(address: string): ObjectName {
  const found = FORM.exec(address)
  if (found) return { bucket: found[1], key: found[2] ?? "" }
  throw new FourtierError({
    where: address,
    what: "not an address of an object",
    expected: "s3://bucket/folder/name",
    fix: "correct the address",
  })
}

/** The address of what lies in a folder of objects. */
export function objectIn(folder: string, ...names: readonly string[]): string {
  return [folder.replace(/\/+$/, ""), ...names].join("/")
}

/** The folder of an object, with "/" at its end. */
export function folderOfObject(address: string): string {
  return address.slice(0, address.lastIndexOf("/") + 1)
}
