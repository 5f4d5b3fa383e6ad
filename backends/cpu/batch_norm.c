/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "chain.h"
#include "plan.h"
#include <stdio.h>
typedef struct norm_plan { gn_plan base; dnn_chain chain; } norm_plan;
static gn_status norm_run(gn_plan *plan, const gn_run *run) { return dnn_chain_run(&((norm_plan *)plan)->chain, run); }
static void norm_release(gn_plan *plan) { dnn_chain_destroy(&((norm_plan *)plan)->chain); free(plan); }
gn_status plan_batch_norm(const plan_request *request, gn_plan_info *info, gn_plan **out) {
    norm_plan *plan = calloc(1, sizeof *plan);
    plan->base.run=norm_run; plan->base.release=norm_release;
    int bw = request->kernel==GN_KERNEL_BATCH_NORM_BACKWARD;
    const gn_tensor_desc *x=&request->tensors[bw?4:1];
    int64_t stride[12]; unsigned l=tensor_layouts(x); layout_strides(l&LAYOUT_NHWC?LAYOUT_NHWC:LAYOUT_NCHW,x->n_dims,x->size,stride);
    dnn_batch_norm op={.prop=bw?dnnl_backward:dnnl_forward_training,.eps=(float)request->attr.norm.eps};
    dnnl_status_t st=dnn_md_create(&op.x,x->n_dims,x->size,x->dtype,stride); dnnl_primitive_t p;
    if(!st)st=dnn_batch_norm_create(&p,&op); dnn_md_destroy(op.x);
    if(st) return dnn_fail(st,"bn");
    if(getenv("VERB"))fprintf(stderr," %s ",dnn_primitive_name(p));
    dnn_step*s=dnn_chain_add(&plan->chain,p);
    if(!bw){dnn_step_bind(s,DNNL_ARG_DST,0);dnn_step_bind(s,DNNL_ARG_SRC,1);dnn_step_bind(s,DNNL_ARG_SCALE,2);dnn_step_bind(s,DNNL_ARG_SHIFT,3);dnn_step_bind(s,DNNL_ARG_MEAN,4);dnn_step_bind(s,DNNL_ARG_VARIANCE,5);}
    else {int a[]={DNNL_ARG_DIFF_SRC,DNNL_ARG_DIFF_SCALE,DNNL_ARG_DIFF_SHIFT,DNNL_ARG_DIFF_DST,DNNL_ARG_SRC,DNNL_ARG_SCALE,DNNL_ARG_MEAN,DNNL_ARG_VARIANCE};for(int i=0;i<8;i++)dnn_step_bind(s,a[i],i);}
    info->workspace_bytes=plan->chain.workspace_bytes;*out=&plan->base;return GN_OK;
}
