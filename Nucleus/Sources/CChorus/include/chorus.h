/* chorus.h: umbrella of the public nucleus headers. Plain C11, usable without Swift. */
#ifndef CHORUS_H
#define CHORUS_H
#include "chorus/knTypes.h"
#include "chorus/knErrors.h"
#include "chorus/knSignature.h"
#include "chorus/knNote.h"
#include "chorus/knHandlers.h"
#include "chorus/knNucleus.h"
#include "chorus/knActor.h"
#include "chorus/knMapper.h"
#include "chorus/knBoot.h"
#include "chorus/knActorManager.h"
#include "chorus/knSignatures.h"
#include "chorus/knCalls.h"
#include "chorus/knUser.h"
#endif
