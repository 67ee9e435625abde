/* pipeline.h: what the two servers say to each other. A protocol is a header: either side may be in any language. */
#ifndef PIPELINE_H
#define PIPELINE_H
#include "chorus.h"

#define PIPELINE_FILTER 0x46494c54u /* "FILT": the group of the filter, as the manifest has it */
#define PIPELINE_WINDOW 8u

typedef struct PipelineSample {     /* the annex both ways */
    uint32_t index;
    int32_t value;                  /* there: as measured; back: mean of the last PIPELINE_WINDOW samples */
    uint32_t rest[62];
} PipelineSample;
_Static_assert(sizeof(PipelineSample) == K_CMSGANNEXSIZE, "an annex has one size");

/* The subsystem's own trap: what UNIX calls system calls. Anybody on the site may raise it. */
#define PIPELINE_TRAP 0x46u
#define PIPELINE_FINISH 0u          /* (const PipelineResult *): source; returns when somebody has shown it */
#define PIPELINE_RESULT 1u          /* (PipelineResult *): waits for it */
#define PIPELINE_SHOWN 2u           /* () */
#define PIPELINE_CALLS 3u
typedef struct PipelineResult {
    uint32_t samples, wrong, late;
    uint32_t least, middle, most;   /* ns that a sample was under way */
} PipelineResult;
#endif
