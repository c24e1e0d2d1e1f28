`default_nettype none
// Request pipeline: both IOTLB levels, and the choice among the sources of responses.
//   request  first-level compare in parts, second-level read
//   stage 1  first-level match, second-level compare in parts
//   stage 2  first-level select -> response (2 cycles after the request); second-level match, select of a larger page, or a miss
//   stage 3  second-level select -> queue -> response (4 cycles after the request), promotion to the first level
// The stages never wait. A first-level hit that does not leave as a response goes on to stage 3 and from there into the queue of hits, a
// miss that is not taken likewise into another one; requests are accepted while both have room for all that is under way. Hits leave in
// order, and so do misses; hits pass misses. Responses of walks go before hits. A response that was presented is held until it is taken.
// Requests carry an epoch bit, so that a fence can wait for those accepted before it.
module iommu_lookup #(
    // Entries of the first level for 4 KiB; sets and ways of the second level; entries for pages beyond 4 KiB, beside the second.
    parameter int L1_ENTRIES = 16,
    parameter int L2_SETS = 64,
    parameter int L2_WAYS = 4,
    parameter int SUPERPAGES = 16,
    // Requests that may be under way here, 2 or more: 8 are enough for one per cycle at the latency of the second level.
    parameter int UNDER_WAY = 8,
    // Bits of a request's identifier.
    parameter int ID_W = 8
) (
    input  wire                                       clk_i,
    input  wire                                       rst_i,

    input  wire [3:0]                                 ddtp_mode_i,

    // Requests (request_t).
    input  wire                                       req_valid_i,
    output wire                                       req_ready_o,
    input  wire [ID_W-1:0]                            req_id_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       req_request_i,

    // Responses (response_t).
    output wire                                       rsp_valid_o,
    input  wire                                       rsp_ready_i,
    output wire [ID_W-1:0]                            rsp_id_o,
    output wire [iommu_spec_pkg::RESPONSE_W-1:0]      rsp_response_o,
    // The response on `rsp_response_o` is that of the debug port, which always takes it.
    output wire                                       debug_rsp_valid_o,

    // Misses, and replies and fills of their walks.
    output wire                                       miss_valid_o,
    input  wire                                       miss_ready_i,
    output wire [iommu_spec_pkg::REQUEST_W-1:0]       miss_request_o,
    output wire [ID_W-1:0]                            miss_id_o,
    output wire                                       miss_epoch_o,
    output wire                                       miss_early_o,
    input  wire                                       reply_valid_i,
    output wire                                       reply_ready_o,
    input  wire [ID_W-1:0]                            reply_id_i,
    input  wire                                       reply_epoch_i,
    input  wire                                       reply_debug_i,
    input  wire [iommu_spec_pkg::RESPONSE_W-1:0]      reply_response_i,
    input  wire                                       fill_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       fill_request_i,
    input  wire [iommu_spec_pkg::TRANSLATION_W-1:0]   fill_translation_i,

    // Fill of the second level only, in a cycle without another fill, and a look whether it holds a page (iommu_neighbour_fill.v).
    input  wire                                       neighbour_valid_i,
    output wire                                       neighbour_ready_o,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       neighbour_request_i,
    input  wire [iommu_spec_pkg::TRANSLATION_W-1:0]   neighbour_translation_i,
    input  wire                                       probe_i,
    input  wire [iommu_spec_pkg::REQUEST_W-1:0]       probe_request_i,
    output wire                                       present_o,

    // Invalidation (invalidation_t).
    input  wire                                       invalidate_i,
    input  wire [iommu_spec_pkg::INVALIDATION_W-1:0]  invalidation_i,

    // Order: `hold_i` accepts no request; `flip_i` starts a new epoch (only while `drained_o`); `drained_o`: every request of the
    // epoch before this one is answered; `idle_o`: every request is.
    input  wire                                       hold_i,
    input  wire                                       flip_i,
    output wire                                       drained_o,
    output wire                                       idle_o,

    // A request was accepted in the cycle before (request_t); a miss of it is presented in the next one, with `miss_early_o`, if none
    // waits.
    output wire                                       accepted_o,
    output wire [iommu_spec_pkg::REQUEST_W-1:0]       accepted_request_o,
    output wire [ID_W-1:0]                            accepted_id_o,
    output wire                                       accepted_epoch_o,

    // Statistics strobes: a hit of the first level, of a larger page, or Bare; of the second level; a miss.
    output wire                                       l1_hit_o,
    output wire                                       l2_hit_o,
    output wire                                       miss_o
);
  `include "iommu_records.vh"

  // ---- Accepting requests -------------------------------------------------------------------------------------------------------------
  localparam int UNDER_WAY_W = $clog2(UNDER_WAY + 1);

  logic [UNDER_WAY_W-1:0] under_way_d, under_way_q;
  logic                   room_q;
  logic                   hit_left_q, miss_left_q;

  wire      accept = req_valid_i && req_ready_o;
  wire      levels = ddtp_mode_i != iommu_spec_pkg::MODE_OFF && ddtp_mode_i != iommu_spec_pkg::MODE_BARE;
  request_t req;
  wire      lookup = accept && levels && req.at == iommu_spec_pkg::AT_UNTRANSLATED;

  assign req = req_request_i;
  assign req_ready_o = room_q && !hold_i;

  always_comb under_way_d = under_way_q + UNDER_WAY_W'(accept) - UNDER_WAY_W'(hit_left_q) - UNDER_WAY_W'(miss_left_q);

  // ---- Stage 1 ----------------------------------------------------------------------------------------------------------------
  logic                                 s1_valid_q, s1_bare_q, s1_epoch_q, epoch_q;
  logic [iommu_spec_pkg::REQUEST_W-1:0] s1_request_q;
  logic [ID_W-1:0]                      s1_id_q;
  wire  [L1_ENTRIES+SUPERPAGES-1:0]     s1_match;

  // ---- Stage 2 ----------------------------------------------------------------------------------------------------------------
  logic            s2_valid_q, s2_bare_q, s2_epoch_q;
  request_t        s2_request_q;
  logic [ID_W-1:0] s2_id_q;
  logic [L1_ENTRIES+SUPERPAGES-1:0]                s2_match_q;
  wire  [iommu_spec_pkg::TRANSLATION_W-1:0]        l1_flat, superpage;
  wire                                             l2_hit;
  translation_t                                    l1_translation;

  assign l1_translation = l1_flat;

  wire s2_direct = s2_valid_q && (s2_bare_q || s2_match_q[L1_ENTRIES-1:0] != '0);
  wire s2_superpage = s2_match_q[L1_ENTRIES +: SUPERPAGES] != '0;
  wire s2_later = s2_valid_q && !s2_direct && (s2_superpage || l2_hit);
  wire s2_miss = s2_valid_q && !s2_bare_q && s2_match_q == '0 && !l2_hit;

  // What a response says of a hit.
  typedef struct packed {
    logic            debug;
    logic            epoch;
    logic [ID_W-1:0] id;
    logic [55:0]     spa;
    logic [1:0]      pbmt;
    logic [4:0]      permissions;   // {G, Priv, X, W, R}
    logic [2:0]      page;          // size code
  } hit_t;

  localparam int HIT_W = 68 + ID_W;
  localparam int MISS_W = iommu_spec_pkg::REQUEST_W + ID_W + 1;

  hit_t s2_hit;

  // Of a page of 4 KiB, or Bare.
  always_comb begin
    s2_hit.debug = s2_request_q.debug;
    s2_hit.epoch = s2_epoch_q;
    s2_hit.id = s2_id_q;
    s2_hit.spa = {l1_translation.ppn | ({44{s2_bare_q}} & s2_request_q.iova[55:12]), s2_request_q.iova[11:0]};
    s2_hit.pbmt = l1_translation.pbmt;
    s2_hit.permissions = s2_bare_q ? 5'b00111
        : {l1_translation.g, s2_request_q.priv, l1_translation.x, l1_translation.w, l1_translation.r};
    s2_hit.page = iommu_spec_pkg::PAGE_4K;
  end

  // ---- Stage 3 ----------------------------------------------------------------------------------------------------------------
  logic                                             s3_first_q, s3_later_q, s3_superpage_q, s3_miss_q, s3_epoch_q;
  hit_t                                             s3_direct_q, s3_direct, s3_hit;
  request_t                                         s3_request_q;
  logic [ID_W-1:0]                                  s3_id_q;
  logic [iommu_spec_pkg::TRANSLATION_W-1:0]         superpage_q;
  wire  [iommu_spec_pkg::TRANSLATION_W-1:0]         l2_translation;
  // A hit of the second level; one that fills the first, no invalidation being near.
  logic                                             s3_l2_q, s3_promote_q;
  translation_t                                     s3_translation;

  assign s3_translation = s3_superpage_q ? superpage_q : l2_translation;

  always_comb begin
    s3_direct = s3_direct_q;
    s3_direct.debug = s3_request_q.debug;
    s3_direct.epoch = s3_epoch_q;
    s3_direct.id = s3_id_q;
    s3_hit = s3_direct;
    if (!s3_first_q) begin
      s3_hit.spa[55:12] = s3_translation.ppn;
      s3_hit.pbmt = s3_translation.pbmt;
      s3_hit.permissions = {s3_translation.g, s3_request_q.priv, s3_translation.x, s3_translation.w, s3_translation.r};
      s3_hit.page = s3_translation.page;
    end
  end

  // ---- Hits that wait, misses that wait -----------------------------------------------------------------------------------------------
  wire  [UNDER_WAY_W-1:0] unused_hits, unused_misses;
  wire               hit_queued, miss_queued, hit_queue_ready, miss_queue_ready;
  wire  [HIT_W-1:0]  queued_hit_flat;
  wire  [MISS_W-1:0] queued_miss;
  hit_t              queued_hit;

  assign queued_hit = queued_hit_flat;

  // The oldest goes first: whether it is taken does not depend on what stage 2 finds.
  wire choose_hit;
  wire s3_hit_valid = s3_first_q || s3_later_q;
  wire queued_hit_taken = choose_hit && (rsp_ready_i || queued_hit.debug);
  wire s3_hit_taken = choose_hit && !hit_queued && (rsp_ready_i || s3_request_q.debug);
  wire s2_hit_taken = choose_hit && !hit_queued && !s3_hit_valid && (rsp_ready_i || s2_request_q.debug);
  wire s3_miss_taken = miss_ready_i && !miss_queued;
  wire s2_miss_taken = miss_ready_i && !miss_queued && !s3_miss_q;

  fifo #(
      .WIDTH(HIT_W),
      .DEPTH(UNDER_WAY)
  ) u_hits (
      .clk_i      (clk_i),
      .rst_i      (rst_i),
      .in_valid_i (s3_later_q || (s3_first_q && !s3_hit_taken)),
      .in_ready_o (hit_queue_ready),
      .in_data_i  (s3_hit),
      .out_valid_o(hit_queued),
      .out_ready_i(queued_hit_taken),
      .out_data_o (queued_hit_flat),
      .count_o    (unused_hits)
  );

  fifo #(
      .WIDTH(MISS_W),
      .DEPTH(UNDER_WAY)
  ) u_misses (
      .clk_i      (clk_i),
      .rst_i      (rst_i),
      .in_valid_i (s3_miss_q && !s3_miss_taken),
      .in_ready_o (miss_queue_ready),
      .in_data_i  ({s3_request_q, s3_id_q, s3_epoch_q}),
      .out_valid_o(miss_queued),
      .out_ready_i(miss_ready_i),
      .out_data_o (queued_miss),
      .count_o    (unused_misses)
  );

  assign miss_valid_o = miss_queued || s3_miss_q || s2_miss;
  assign {miss_request_o, miss_id_o, miss_epoch_o} = miss_queued ? queued_miss
      : s3_miss_q ? {s3_request_q, s3_id_q, s3_epoch_q} : {s2_request_q, s2_id_q, s2_epoch_q};
  assign miss_early_o = !miss_queued && !s3_miss_q;

  // ---- Choice of the response: of a walk, else the oldest hit -------------------------------------------------------------------------
  // A hit was presented and not taken; once more, inverted, for what leaves the queues: the response has enough to drive with one.
  logic hit_presented_q, reply_may_go_q;

  wire hit_ready = hit_queued || s3_first_q || (s2_direct && !s3_later_q);
  wire choose_reply = reply_valid_i && !hit_presented_q;
  wire hit_taken = (hit_queued && queued_hit_taken) || (s3_first_q && s3_hit_taken) || (s2_direct && s2_hit_taken);
  // The select of the first level comes last: everything else is chosen beside it.
  wire choose_earlier = choose_reply || hit_queued || s3_first_q;
  wire rsp_debug = choose_reply ? reply_debug_i : hit_queued ? queued_hit.debug : s3_first_q ? s3_request_q.debug : s2_request_q.debug;

  hit_t      earlier_hit;
  response_t s2_response, earlier_response;

  function automatic [iommu_spec_pkg::RESPONSE_W-1:0] response_of;
    input [HIT_W-1:0] bits;
    hit_t      hit;
    response_t response;
    begin
      hit = bits;
      response = '0;
      response.status = iommu_pkg::RESPONSE_SUCCESS;
      response.spa = hit.spa;
      response.size = iommu_spec_pkg::page_shift(hit.page);
      response.permissions = {3'b000, hit.permissions};
      response.pbmt = hit.pbmt;
      response_of = response;
    end
  endfunction

  assign earlier_hit = hit_queued ? queued_hit : s3_direct;

  always_comb begin
    earlier_response = choose_reply ? reply_response_i : response_of(earlier_hit);
    s2_response = response_of(s2_hit);
  end

  assign choose_hit = !(reply_valid_i && reply_may_go_q);
  assign reply_ready_o = !hit_presented_q && (rsp_ready_i || reply_debug_i);
  assign rsp_valid_o = (choose_reply || hit_ready) && !rsp_debug;
  assign debug_rsp_valid_o = (choose_reply || hit_ready) && rsp_debug;
  assign rsp_id_o = choose_reply ? reply_id_i : choose_earlier ? earlier_hit.id : s2_id_q;
  assign rsp_response_o = choose_earlier ? earlier_response : s2_response;

  // ---- IOTLBs -----------------------------------------------------------------------------------------------------------------------
  // A promotion gives way to the fill of a walk: what is not promoted now may be at its next hit. What matched in one of the cycles in
  // which an invalidation takes effect (iommu_tlb_l1.v) answers, but is not promoted.
  logic [1:0] invalidated_q;

  iommu_tlb_l1 #(
      .ENTRIES(L1_ENTRIES),
      .SUPERPAGES(SUPERPAGES)
  ) u_l1 (
      .clk_i               (clk_i),
      .rst_i               (rst_i),
      .lookup_i            (lookup),
      .lookup_request_i    (req_request_i),
      .match_o             (s1_match),
      .select_match_i      (s2_match_q),
      .select_page_i       (s2_request_q.iova[63:12]),
      .select_translation_o(l1_flat),
      .select_superpage_o  (superpage),
      .fill_i              (fill_i),
      .fill_request_i      (fill_request_i),
      .fill_translation_i  (fill_translation_i),
      .promote_i           (s3_promote_q),
      .promote_request_i   (s3_request_q),
      .promote_translation_i(l2_translation),
      .invalidate_i        (invalidate_i),
      .invalidation_i      (invalidation_i)
  );

  assign neighbour_ready_o = !fill_i;

  iommu_tlb_l2 #(
      .SETS(L2_SETS),
      .WAYS(L2_WAYS)
  ) u_l2 (
      .clk_i             (clk_i),
      .rst_i             (rst_i),
      .read_i            (lookup),
      .read_request_i    (req_request_i),
      .compare_request_i (s1_request_q),
      .hit_o             (l2_hit),
      .translation_o     (l2_translation),
      .used_i            (s3_l2_q),
      .fill_i            (fill_i || neighbour_valid_i),
      .fill_neighbour_i  (!fill_i),
      .fill_request_i    (fill_i ? fill_request_i : neighbour_request_i),
      .fill_translation_i(fill_i ? fill_translation_i : neighbour_translation_i),
      .probe_i           (probe_i),
      .probe_request_i   (probe_request_i),
      .present_o         (present_o),
      .invalidate_i      (invalidate_i),
      .invalidation_i    (invalidation_i)
  );

  // ---- Requests per epoch: counted a cycle later ----------------------------------------------------------------------------------------
  localparam int COUNT_W = 10;
  logic [COUNT_W-1:0] count0_d, count0_q, count1_d, count1_q;
  logic               hit_epoch_q, reply_left_q, reply_epoch_q;

  always_comb begin
    count0_d = count0_q + COUNT_W'(s1_valid_q && !s1_epoch_q) -
        COUNT_W'((hit_left_q && !hit_epoch_q) || (reply_left_q && !reply_epoch_q));
    count1_d = count1_q + COUNT_W'(s1_valid_q && s1_epoch_q) -
        COUNT_W'((hit_left_q && hit_epoch_q) || (reply_left_q && reply_epoch_q));
  end

  assign drained_o = (epoch_q ? count0_q == '0 : count1_q == '0) && !(s1_valid_q && s1_epoch_q != epoch_q);
  assign idle_o = count0_q == '0 && count1_q == '0 && !s1_valid_q;

  // ---- Registers -----------------------------------------------------------------------------------------------------------------
  always_ff @(posedge clk_i) begin
    room_q <= under_way_d < UNDER_WAY_W'(UNDER_WAY);
    under_way_q <= under_way_d;
    hit_left_q <= hit_taken;
    miss_left_q <= miss_valid_o && miss_ready_i;
    s1_valid_q <= accept;
    s1_request_q <= req_request_i;
    s1_id_q <= req_id_i;
    s1_epoch_q <= epoch_q;
    s1_bare_q <= ddtp_mode_i == iommu_spec_pkg::MODE_BARE && req.at == iommu_spec_pkg::AT_UNTRANSLATED;
    s2_valid_q <= s1_valid_q;
    s2_request_q <= s1_request_q;
    s2_id_q <= s1_id_q;
    s2_epoch_q <= s1_epoch_q;
    s2_bare_q <= s1_bare_q;
    s2_match_q <= s1_match;
    s3_miss_q <= s2_miss && !s2_miss_taken;
    s3_later_q <= s2_later;
    s3_superpage_q <= s2_superpage;
    s3_l2_q <= s2_later && !s2_superpage;
    s3_promote_q <= s2_later && !s2_superpage && {invalidated_q, invalidate_i} == 3'b000;
    superpage_q <= superpage;
    s3_first_q <= s2_direct && !s2_hit_taken;
    s3_direct_q <= s2_hit;
    s3_request_q <= s2_request_q;
    s3_id_q <= s2_id_q;
    s3_epoch_q <= s2_epoch_q;
    hit_presented_q <= hit_ready && choose_hit && !hit_taken;
    reply_may_go_q <= !(hit_ready && choose_hit && !hit_taken);
    invalidated_q <= {invalidated_q[0], invalidate_i};
    hit_epoch_q <= hit_queued ? queued_hit.epoch : s3_first_q ? s3_epoch_q : s2_epoch_q;
    reply_left_q <= reply_valid_i && reply_ready_o;
    reply_epoch_q <= reply_epoch_i;
    count0_q <= count0_d;
    count1_q <= count1_d;
    epoch_q <= epoch_q ^ flip_i;
    if (rst_i) begin
      room_q <= 1'b0;
      under_way_q <= '0;
      hit_left_q <= 1'b0;
      miss_left_q <= 1'b0;
      s1_valid_q <= 1'b0;
      s2_valid_q <= 1'b0;
      s3_first_q <= 1'b0;
      s3_miss_q <= 1'b0;
      s3_later_q <= 1'b0;
      s3_l2_q <= 1'b0;
      s3_promote_q <= 1'b0;
      hit_presented_q <= 1'b0;
      reply_may_go_q <= 1'b1;
      reply_left_q <= 1'b0;
      invalidated_q <= '0;
      count0_q <= '0;
      count1_q <= '0;
      epoch_q <= 1'b0;
    end
  end

  assign accepted_o = s1_valid_q;
  assign accepted_request_o = s1_request_q;
  assign accepted_id_o = s1_id_q;
  assign accepted_epoch_o = s1_epoch_q;
  assign l1_hit_o = s2_direct || (s2_later && s2_superpage);
  assign l2_hit_o = s2_later && !s2_superpage;
  assign miss_o = s2_miss;

`ifndef SYNTHESIS
  initial begin
    if ($bits(s2_hit) != HIT_W) $fatal(1, "iommu_lookup: HIT_W is not the width of its record");
  end

  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (!flip_i || drained_o) else $error("iommu_lookup: a new epoch before the last one drained");
      assert (!hit_presented_q || hit_ready) else $error("iommu_lookup: a presented hit was withdrawn");
      assert (hit_queue_ready || !s3_hit_valid || (s3_first_q && s3_hit_taken)) else $error("iommu_lookup: a hit finds its queue full");
      assert (miss_queue_ready || !s3_miss_q || s3_miss_taken) else $error("iommu_lookup: a miss finds its queue full");
    end
  end
`endif

`ifdef FORMAL
  // Proof `iommu_lookup`: a fence that waits for `drained_o` has waited for every request of the epoch before, and `ddtp` that waits for
  // `idle_o` for all; each is answered once, with its identifier, and the pipeline keeps none back (RISC-V IOMMU, IOFENCE.C; ddtp.busy).
  // The IOTLBs are left free. One requester's identifier is watched; the debug port counts as one.
  logic f_started_q = 1'b0;
  always_ff @(posedge clk_i) f_started_q <= 1'b1;
  always_comb if (!f_started_q) assume (rst_i);

  wire            f_debug;
  wire [ID_W-1:0] f_id;
  formal_constant #(.WIDTH(1)) u_f_debug (.value_o(f_debug));
  formal_constant #(.WIDTH(ID_W)) u_f_id (.value_o(f_id));

  request_t f_req, f_miss_req;
  assign f_req = req_request_i;
  assign f_miss_req = miss_request_o;

  wire f_accept = req_valid_i && req_ready_o;
  wire f_answer = (rsp_valid_o && rsp_ready_i) || debug_rsp_valid_o;
  wire f_miss = miss_valid_o && miss_ready_i;
  wire f_reply = reply_valid_i && reply_ready_o;
  wire f_accept_mine = f_accept && f_req.debug == f_debug && (f_debug || req_id_i == f_id);
  wire f_answer_mine = f_answer && debug_rsp_valid_o == f_debug && (f_debug || rsp_id_o == f_id);
  wire f_miss_mine = f_miss && f_miss_req.debug == f_debug && (f_debug || miss_id_o == f_id);
  wire f_reply_mine = reply_debug_i == f_debug && (f_debug || reply_id_i == f_id);

  // The watched request: accepted and not answered, in which epoch, given to a walk. Others that were given to walks, by epoch.
  localparam int F_OTHERS_W = 4;
  logic                  f_now_q, f_flight_q, f_epoch_q, f_walks_q;
  logic [F_OTHERS_W-1:0] f_others0_q, f_others1_q;
  logic [3:0]            f_quiet_q;   // cycles in which nothing came and everything was taken
  logic                  f_reply_waits_q;
  wire f_other_miss = f_miss && !f_miss_mine;
  wire f_other_reply = f_reply && !f_reply_mine;
  wire f_quiet = !f_accept && !reply_valid_i && !f_miss && rsp_ready_i && miss_ready_i && !f_walks_q && f_others0_q == '0 &&
      f_others1_q == '0;
  always_ff @(posedge clk_i) begin
    f_now_q <= f_now_q ^ flip_i;
    if (f_answer_mine) f_flight_q <= 1'b0;
    if (f_accept_mine) begin
      f_flight_q <= 1'b1;
      f_epoch_q <= f_now_q;
    end
    f_walks_q <= f_miss_mine || (f_walks_q && !(f_reply && f_reply_mine));
    f_others0_q <= f_others0_q + F_OTHERS_W'(f_other_miss && !miss_epoch_o) - F_OTHERS_W'(f_other_reply && !reply_epoch_i);
    f_others1_q <= f_others1_q + F_OTHERS_W'(f_other_miss && miss_epoch_o) - F_OTHERS_W'(f_other_reply && reply_epoch_i);
    f_quiet_q <= f_quiet ? f_quiet_q + 4'(f_quiet_q != '1) : '0;
    f_reply_waits_q <= reply_valid_i && !reply_ready_o;
    if (rst_i) begin
      f_now_q <= 1'b0;
      f_flight_q <= 1'b0;
      f_walks_q <= 1'b0;
      f_others0_q <= '0;
      f_others1_q <= '0;
      f_quiet_q <= '0;
      f_reply_waits_q <= 1'b0;
    end
  end

  logic [ID_W+1:0] f_last_reply_q;
  logic [3:0]      f_last_mode_q;
  wire             f_ddtp_moves = f_started_q && !rst_i && ddtp_mode_i != f_last_mode_q;
  always_ff @(posedge clk_i) begin
    f_last_reply_q <= {reply_debug_i, reply_epoch_i, reply_id_i};
    f_last_mode_q <= ddtp_mode_i;
  end

  // Of the requests in the stages: how many of an epoch, and is one of them the watched one, where it is.
  request_t f_s1, f_s2, f_s3;
  assign f_s1 = s1_request_q;
  assign f_s2 = s2_request_q;
  assign f_s3 = s3_request_q;
  wire [2:0] f_stages = {s3_hit_valid || s3_miss_q, s2_valid_q, s1_valid_q};
  wire [UNDER_WAY-1:0] f_hit_valid, f_hit_late, f_hit_mine, f_miss_valid, f_miss_late, f_queued_mine;

  generate
    for (genvar i = 0; i < UNDER_WAY; i++) begin : g_f_place
      wire [HIT_W-1:0]  f_hit = u_hits.u_storage.memory_q[i];
      wire [MISS_W-1:0] f_queued = u_misses.u_storage.memory_q[i];
      assign f_hit_valid[i] = (i + UNDER_WAY - 32'(u_hits.read_pointer_q)) % UNDER_WAY < 32'(u_hits.count_q);
      assign f_hit_late[i] = f_hit[HIT_W-2];
      assign f_hit_mine[i] = f_hit[HIT_W-1] == f_debug && (f_debug || f_hit[HIT_W-3 -: ID_W] == f_id);
      assign f_miss_valid[i] = (i + UNDER_WAY - 32'(u_misses.read_pointer_q)) % UNDER_WAY < 32'(u_misses.count_q);
      assign f_miss_late[i] = f_queued[0];
      assign f_queued_mine[i] = f_queued[MISS_W-1] == f_debug && (f_debug || f_queued[ID_W:1] == f_id);
    end
  endgenerate

  wire [2*UNDER_WAY+2:0] f_valid = {f_hit_valid, f_miss_valid, f_stages};
  wire [2*UNDER_WAY+2:0] f_late = {f_hit_late, f_miss_late, s3_epoch_q, s2_epoch_q, s1_epoch_q};
  wire [2*UNDER_WAY+2:0] f_mine = f_valid & {f_hit_mine, f_queued_mine,
      f_s3.debug == f_debug && (f_debug || s3_id_q == f_id), f_s2.debug == f_debug && (f_debug || s2_id_q == f_id),
      f_s1.debug == f_debug && (f_debug || s1_id_q == f_id)};
  // Accepted ones are counted, and answered ones no longer, a cycle later.
  wire [COUNT_W-1:0] f_count0 = COUNT_W'($countones(f_valid & ~f_late)) + COUNT_W'(f_others0_q) + COUNT_W'(f_walks_q && !f_epoch_q) -
      COUNT_W'(s1_valid_q && !s1_epoch_q) + COUNT_W'(hit_left_q && !hit_epoch_q) + COUNT_W'(reply_left_q && !reply_epoch_q);
  wire [COUNT_W-1:0] f_count1 = COUNT_W'($countones(f_valid & f_late)) + COUNT_W'(f_others1_q) + COUNT_W'(f_walks_q && f_epoch_q) -
      COUNT_W'(s1_valid_q && s1_epoch_q) + COUNT_W'(hit_left_q && hit_epoch_q) + COUNT_W'(reply_left_q && reply_epoch_q);

  always_comb begin
    // An identifier is used again after its answer (translation port); the debug port asks one at a time (iommu_debug_port); a walk is
    // of a miss and replies once, with the epoch of that miss, held until it is taken (iommu_miss_queue).
    assume (!f_accept_mine || !f_flight_q);
    assume (!reply_valid_i || (f_reply_mine ? f_walks_q && reply_epoch_i == f_epoch_q
                                            : reply_epoch_i ? f_others1_q != '0 : f_others0_q != '0));
    assume (!f_reply_waits_q || (reply_valid_i && {reply_debug_i, reply_epoch_i, reply_id_i} == f_last_reply_q));
    assume (!f_other_miss || (f_others0_q != '1 && f_others1_q != '1));
    // iommu_command_queue; iommu_registers.
    assume (!flip_i || drained_o);
    assume (!f_ddtp_moves || idle_o);
    if (f_started_q && !rst_i) begin
      counts_are_requests: assert (count0_q == f_count0 && count1_q == f_count1 && epoch_q == f_now_q);
      watched_is_somewhere: assert ($countones(f_mine) + 32'(f_walks_q) == 32'(f_flight_q));
      watched_epoch: assert ((f_mine & (f_late ^ {(2*UNDER_WAY+3){f_epoch_q}})) == '0);
      // What proof `fifo` shows of each queue.
      hit_queue_in_order: assert (32'(u_hits.count_q) <= UNDER_WAY && hit_queued == (u_hits.count_q != '0) &&
          32'(u_hits.write_pointer_q) == (32'(u_hits.read_pointer_q) + 32'(u_hits.count_q)) % UNDER_WAY &&
          (!hit_queued || queued_hit_flat == u_hits.u_storage.memory_q[u_hits.read_pointer_q]));
      miss_queue_in_order: assert (32'(u_misses.count_q) <= UNDER_WAY && miss_queued == (u_misses.count_q != '0) &&
          32'(u_misses.write_pointer_q) == (32'(u_misses.read_pointer_q) + 32'(u_misses.count_q)) % UNDER_WAY &&
          (!miss_queued || queued_miss == u_misses.u_storage.memory_q[u_misses.read_pointer_q]));
      hit_or_miss: assert (32'(s3_first_q) + 32'(s3_later_q) + 32'(s3_miss_q) <= 1);
      presented_stays: assert (reply_may_go_q != hit_presented_q && (!hit_presented_q || hit_ready));
      // Both queues have room for all that is under way.
      room_is_reserved: assert (32'(under_way_q) == $countones(f_valid) + 32'(hit_left_q) + 32'(miss_left_q) &&
          (!room_q || 32'(under_way_q) < UNDER_WAY));

      never_drained_too_early: assert (!(f_flight_q && f_epoch_q != f_now_q) || !drained_o);
      never_idle_too_early: assert (!f_flight_q || !idle_o);
      nobody_is_answered_twice: assert (!f_answer_mine || f_flight_q);
      nothing_is_kept_back: assert (f_quiet_q < 4'd8 || idle_o);
      drained_over_a_walk: cover (drained_o && f_flight_q && f_walks_q && f_epoch_q == f_now_q && f_now_q);
      three_stages: cover (f_stages == '1 && f_late[2:0] == 3'b110 && f_mine[2:0] == 3'b100);
      both_queues: cover (hit_queued && miss_queued && f_mine[2:0] == 3'b000 && f_flight_q && !f_walks_q);
      debug_answered: cover (f_answer_mine && f_debug && reply_valid_i);
    end
  end
`endif

endmodule
`default_nettype wire
