/** Where DPoP proofs are remembered for all instances; the application provides it, beside what each remembers by itself. */
export abstract class DpopReplayStore {
  /**
   * Called only with a proof that is new to this instance.
   * @param validUntil in seconds since the epoch.
   * @returns false where another instance knows it; true also where the others cannot be asked.
   */
  abstract firstUse(id: Buffer, validUntil: number): Promise<boolean>;
}
