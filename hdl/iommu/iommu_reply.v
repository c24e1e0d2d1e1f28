`default_nettype none
// What a finished walk means for a requester, combinational: the response, the fault to record, and the translation to cache.
// Also whether the result answers a request that was merged with the walk.
module iommu_reply (
    // The walk: request_t, context_t, walk_t.
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]     request_i,
    input  wire [iommu_spec_pkg::CONTEXT_W-1:0]     context_i,
    input  wire [iommu_spec_pkg::WALK_W-1:0]        walk_i,
    // The request to answer, the same or one to the same page: its offset in a page of 4 KiB, and Priv.
    input  wire [11:0]                              offset_i,
    input  wire                                     priv_i,

    // response_t.
    output wire [iommu_spec_pkg::RESPONSE_W-1:0]    response_o,
    // A record is due, and its contents (fault_t).
    output wire                                     record_o,
    output wire [iommu_spec_pkg::FAULT_W-1:0]       fault_o,
    // The result may be cached, and as what (translation_t).
    output wire                                     cacheable_o,
    output wire [iommu_spec_pkg::TRANSLATION_W-1:0] translation_o,

    // A request that was merged with the walk (request_t): the result answers it too, since requester and page are the walk's indeed, not
    // only by the hash, and the right is there.
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]     merged_i,
    output wire                                     shared_o
);
  `include "iommu_records.vh"

  request_t     request, merged;
  context_t     device;
  walk_t        walk;
  response_t    response;
  fault_t       fault;
  translation_t translation;

  assign request = request_i;
  assign merged = merged_i;
  assign device = context_i;
  assign walk = walk_i;

  wire probe = request.at == iommu_spec_pkg::AT_TRANSLATION_REQUEST;
  wire success = walk.status == iommu_pkg::RESPONSE_SUCCESS;
  wire cacheable = success && request.at == iommu_spec_pkg::AT_UNTRANSLATED && !walk.mrif;
  wire same = {merged.did, merged.pv, merged.pid, merged.priv, merged.iova[63:12]} ==
      {request.did, request.pv, request.pid, request.priv, request.iova[63:12]};
  wire allowed = merged.wr ? walk.w : merged.exec ? walk.x : walk.r;

  always_comb begin
    response = '0;
    response.status = walk.status;
    response.spa = walk.mrif ? walk.address : {walk.address[55:12], offset_i};
    // A first stage gives guest addresses of 56 bits; where it is Bare, Sv57x4 takes an IOVA of 59.
    if (probe && success && device.t2gpa) response.guest_high = walk.guest[58:56];
    response.pbmt = walk.pbmt;
    response.permissions = {1'b0,
                            probe && success && (walk.pbmt != 2'd0 || walk.msi || (device.t2gpa && (walk.r || walk.w))),
                            probe && walk.mrif,
                            probe ? walk.g && request.pv && !walk.msi : walk.g,
                            priv_i,
                            probe ? walk.x && walk.r && request.exec : walk.x,
                            walk.w, walk.r};
    response.size = iommu_spec_pkg::page_shift(walk.final_page);
    response.mrif = walk.mrif;
    response.mrif_nid = walk.entry[10:0];
    response.mrif_nppn = walk.entry[54:11];
    response.mrif_quiet = device.dtf;
    response.mrif_qos = device.qos;
  end

  always_comb begin
    fault = '0;
    fault.cause = walk.cause;
    case (request.at)
      iommu_spec_pkg::AT_UNTRANSLATED: fault.ttyp = request.wr ? 4'd3 : request.exec ? 4'd1 : 4'd2;
      iommu_spec_pkg::AT_TRANSLATED: fault.ttyp = request.wr ? 4'd7 : request.exec && request.pv ? 4'd5 : 4'd6;
      iommu_spec_pkg::AT_MESSAGE: fault.ttyp = 4'd9;
      default: fault.ttyp = 4'd8;
    endcase
    fault.did = request.did;
    fault.pv = request.pv;
    fault.pid = request.pid;
    fault.priv = request.priv;
    fault.iotval = request.iova;
    fault.iotval2 = walk.guest_fault ? {walk.guest[63:2], walk.guest_flags} : '0;
  end

  always_comb begin
    translation = '0;
    translation.r = walk.r;
    translation.w = walk.w;
    translation.x = walk.x;
    translation.g = walk.g;
    translation.pbmt = walk.pbmt;
    translation.page = walk.final_page;
    translation.first_page = walk.page;
    translation.gv = device.second_mode != 4'd0;
    translation.gscid = device.gscid;
    translation.pscv = device.first_mode != 4'd0;
    translation.pscid = device.pscid;
    translation.ppn = walk.address[55:12];
  end

  assign response_o = response;
  assign record_o = walk.record;
  assign fault_o = fault;
  assign cacheable_o = cacheable;
  assign translation_o = translation;
  assign shared_o = cacheable && same && allowed;

`ifndef SYNTHESIS
  initial begin
    if ($bits(response) != iommu_spec_pkg::RESPONSE_W || $bits(fault) != iommu_spec_pkg::FAULT_W ||
        $bits(translation) != iommu_spec_pkg::TRANSLATION_W)
      $fatal(1, "iommu_reply: RESPONSE_W, FAULT_W or TRANSLATION_W in iommu_spec_pkg is not the width of its record");
  end
`endif

endmodule
`default_nettype wire
