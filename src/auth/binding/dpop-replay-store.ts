/** Store of used DPoP proofs for all instances, beside the memory of each instance. */
export abstract class DpopReplayStore {
  /**
   * Called only with a proof that is new to this instance.
   * @param validUntil Unix time in seconds.
   * @returns false if another instance has seen the proof; true also if the store is unavailable.
   */
  abstract firstUse(id: Buffer, validUntil: number): Promise<boolean>;
}
