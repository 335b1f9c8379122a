/** Marks the routes that need no identity: discovery and health. Everything that is not marked is guarded. */
import { SetMetadata } from '@nestjs/common';

export const PUBLIC_ROUTE = 'common:public-route';

/** This route is open to everyone. Honoured by every global guard. */
export const PublicRoute = (): ClassDecorator & MethodDecorator => SetMetadata(PUBLIC_ROUTE, true);
