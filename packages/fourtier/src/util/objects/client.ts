/**
 * Object storage with Amazon's interface, through `@aws-sdk/client-s3`, which is loaded when an address is met. Credentials, region and
 * endpoint come from where that package looks: `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, `AWS_PROFILE` and `~/.aws`, roles of a
 * machine or container; `AWS_REGION`; `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL` for servers other than Amazon's.
 */

import type { Readable } from "node:stream"
import type * as Sdk from "@aws-sdk/client-s3"
import { FourtierError } from "@fourtier/tensor"
import { loadPackage } from "../optional.ts"
import { nameOfObject } from "./address.ts"
import { hasChanged, toldOf } from "./errors.ts"

const PACKAGE = { name: "@aws-sdk/client-s3", version: "3.1175.0" }

/** What is known of an object without reading it. */
export interface ObjectStat {
  size: number
  /** Milliseconds since 1970. */
  mtime: number
  /** Changes with the content. */
  tag: string
}

/** Bytes `[start, end)`. */
export interface ByteRange {
  start: number
  end: number
}

export class ObjectClient {
  readonly #sdk: typeof Sdk
  readonly #client: Sdk.S3Client

  private constructor(sdk: typeof Sdk, client: Sdk.S3Client) {
    this.#sdk = sdk
    this.#client = client
  }

  /** @param where the address that needs it, for the error where the package is missing */
  static async open(where: string, env: NodeJS.ProcessEnv = process.env): Promise<ObjectClient> {
    // Node 20 is supported here as long as this package runs on it
    process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true"
    const sdk = await loadPackage(PACKAGE, () => import("@aws-sdk/client-s3"), where)
    const ownServer = Boolean(env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL)
    const client = new sdk.S3Client({
      maxAttempts: 5,
      followRegionRedirects: true,
      // servers other than Amazon's seldom have a name for each bucket, and take any region
      ...(ownServer ? { forcePathStyle: true } : {}),
      ...(ownServer && !env.AWS_REGION && !env.AWS_DEFAULT_REGION ? { region: "us-east-1" } : {}),
    })
    return new ObjectClient(sdk, client)
  }

  /** @throws FourtierError where there is no such object, or it may not be read */
  async stat(address: string): Promise<ObjectStat> {
    const { bucket, key } = nameOfObject(address)
    const found = await this.#send(address, () =>
      this.#client.send(new this.#sdk.HeadObjectCommand({ Bucket: bucket, Key: key })),
    )
    return {
      size: found.ContentLength ?? 0,
      mtime: found.LastModified?.getTime() ?? 0,
      tag: found.ETag ?? "",
    }
  }

  /**
   * Objects in a folder, not in those below it, a thousand a request; and the folders in it.
   * @param most objects, at least so many where there are more
   */
  async list(folder: string, most = Number.POSITIVE_INFINITY) {
    const { bucket, key } = nameOfObject(folder)
    const objects = new Map<string, ObjectStat>()
    const folders: string[] = []
    let token: string | undefined
    do {
      const page = await this.#send(folder, () =>
        this.#client.send(
          new this.#sdk.ListObjectsV2Command({ Bucket: bucket, Prefix: key, Delimiter: "/", ContinuationToken: token }),
        ),
      )
      for (const { Key, Size, LastModified, ETag } of page.Contents ?? []) {
        if (Key === undefined) continue
        objects.set(`s3://${bucket}/${Key}`, {
          size: Size ?? 0,
          mtime: LastModified?.getTime() ?? 0,
          tag: ETag ?? "",
        })
      }
      for (const { Prefix } of page.CommonPrefixes ?? []) if (Prefix) folders.push(`s3://${bucket}/${Prefix}`)
      token = page.IsTruncated ? page.NextContinuationToken : undefined
    } while (token !== undefined && objects.size < most)
    return { objects, folders, whole: token === undefined }
  }

  /** Reads an object, or some of its bytes. @param tag content that it has to have still */
  async read(address: string, tag: string, range?: ByteRange): Promise<Readable> {
    const { bucket, key } = nameOfObject(address)
    const { Body, ETag } = await this.#send(address, () =>
      this.#client.send(
        new this.#sdk.GetObjectCommand({
          Bucket: bucket,
          Key: key,
          ...(tag === "" ? {} : { IfMatch: tag }),
          ...(range ? { Range: `bytes=${range.start}-${range.end - 1}` } : {}),
        }),
      ),
    )
    if (tag !== "" && ETag !== undefined && ETag !== tag) throw hasChanged(address)
    if (Body && "pipe" in Body) return Body
    throw new FourtierError({ where: address, what: "the server sent no content" })
  }

  close(): void {
    this.#client.destroy()
  }

  async #send<Result>(where: string, ask: () => Promise<Result>): Promise<Result> {
    try {
      return await ask()
    } catch (error) {
      throw toldOf(error, where)
    }
  }
}
