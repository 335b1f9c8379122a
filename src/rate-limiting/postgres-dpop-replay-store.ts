/** Used DPoP proofs of all instances (RFC 9449 section 11.1). */
import { Injectable } from '@nestjs/common';
import { DpopReplayStore } from '../auth/binding/dpop-replay-store.js';
import { SharedDatabaseService } from './shared-database.service.js';

/** Margin for clock differences between instances and database. */
const MARGIN_MS = 60_000;

@Injectable()
export class PostgresDpopReplayStore extends DpopReplayStore {
  constructor(private readonly database: SharedDatabaseService) {
    super();
  }

  async firstUse(id: Buffer, validUntil: number): Promise<boolean> {
    if (!this.database.isShared) return true;
    const values = [id, new Date(validUntil * 1000 + MARGIN_MS)];
    const asked = await this.database.withStore((store) =>
      store.query({
        text: `insert into dpop_proofs (id, valid_until) values ($1, $2)
          on conflict (id) do update set valid_until = excluded.valid_until where dpop_proofs.valid_until < now()
          returning 1`,
        values,
      }),
    );
    return !asked || asked.answer.rows.length > 0;
  }
}
