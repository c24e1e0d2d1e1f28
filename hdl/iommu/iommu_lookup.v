`default_nettype none
// Request pipeline: both IOTLB levels, and the choice among the three sources of responses.
//   request  second-level read
//   stage 1  first-level compare, compare of the second level's superpages
//   stage 2  first-level select -> response (2 cycles after the request); second-level compare, select of a superpage; else a miss
//   stage 3  second-level select -> response (3 cycles after the request), promotion to the first level
// Responses of walks go before second-level hits, those before first-level hits; hits pass misses. A response that was presented
// is held until it is taken. Requests carry an epoch bit, so that a fence can wait for those accepted before it.
module iommu_lookup #(
    // Entries of the first level; sets and ways of the second level; its entries for pages beyond 4 KiB.
    parameter int L1_ENTRIES = 16,
    parameter int L2_SETS = 64,
    parameter int L2_WAYS = 4,
    parameter int SUPERPAGES = 16,
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

    // A request was accepted in the cycle before (request_t).
    output wire                                       accepted_o,
    output wire [iommu_spec_pkg::REQUEST_W-1:0]       accepted_request_o,

    // Statistics strobes.
    output wire                                       l1_hit_o,
    output wire                                       l2_hit_o,
    output wire                                       miss_o
);
  `include "iommu_records.vh"

  // ---- Stage 1 ----------------------------------------------------------------------------------------------------------------
  logic                                 s1_valid_d, s1_valid_q;
  logic                                 accepted_q;
  logic [iommu_spec_pkg::REQUEST_W-1:0] s1_request_q;
  logic [ID_W-1:0]                      s1_id_q;
  logic                                 s1_epoch_q;
  logic                                 epoch_q;

  wire s1_advance;
  wire accept = req_valid_i && req_ready_o;

  assign req_ready_o = !hold_i && (!s1_valid_q || s1_advance);

  // ---- Stage 2 ----------------------------------------------------------------------------------------------------------------
  logic                                 s2_valid_d, s2_valid_q;
  logic [iommu_spec_pkg::REQUEST_W-1:0] s2_request_q;
  logic [ID_W-1:0]                      s2_id_q;
  logic                                 s2_epoch_q;
  logic [L1_ENTRIES-1:0]                s2_match_d, s2_match_q;
  logic [SUPERPAGES-1:0]                s2_super_d, s2_super_q;

  localparam int SOURCES = L2_WAYS + 1;

  wire [L1_ENTRIES-1:0]                             s1_match, fill_write;
  wire [SUPERPAGES-1:0]                             s1_super, super_write;
  wire [iommu_spec_pkg::TRANSLATION_W-1:0]          l1_translation, super_translation;
  wire [L2_WAYS-1:0]                                l2_match;
  wire [L2_WAYS*iommu_spec_pkg::TRANSLATION_W-1:0]  l2_ways;
  wire                                      s2_leave;
  request_t                                 s2_request, s3_request;

  assign s2_request = s2_request_q;
  assign s1_advance = s1_valid_q && (!s2_valid_q || s2_leave);

  wire levels = ddtp_mode_i != iommu_spec_pkg::MODE_OFF && ddtp_mode_i != iommu_spec_pkg::MODE_BARE;
  wire s2_bare = ddtp_mode_i == iommu_spec_pkg::MODE_BARE && s2_request.at == iommu_spec_pkg::AT_UNTRANSLATED;
  wire s2_l1 = levels && s2_match_q != '0;
  wire s2_l2 = levels && !s2_l1 && (l2_match != '0 || s2_super_q != '0);
  wire s2_direct = s2_valid_q && (s2_bare || s2_l1);
  wire s2_promote = s2_valid_q && s2_l2;
  wire s2_miss = s2_valid_q && !s2_bare && !s2_l1 && !s2_l2;

  // ---- Stage 3 ----------------------------------------------------------------------------------------------------------------
  logic                                     s3_valid_d, s3_valid_q;
  logic [iommu_spec_pkg::REQUEST_W-1:0]     s3_request_q;
  logic [ID_W-1:0]                          s3_id_q;
  logic                                     s3_epoch_q;

  assign s3_request = s3_request_q;

  // What may have hit, a superpage last, and which of them did: one-hot.
  logic [SOURCES*iommu_spec_pkg::TRANSLATION_W-1:0] s3_sources_q;
  logic [SOURCES-1:0]                       s3_select_q;
  logic [iommu_spec_pkg::TRANSLATION_W-1:0] s3_translation;
  logic                                     s3_loaded_q;   // in the first cycle of an entry
  // An invalidation came after the second level was read: answer, but do not promote.
  logic                                     s3_squashed_d, s3_squashed_q;
  wire                                      s3_leave;
  wire                                      s3_load = s2_promote && (!s3_valid_q || s3_leave);

  always_comb begin
    s3_translation = '0;
    for (int i = 0; i < SOURCES; i++)
      s3_translation = s3_translation | ({iommu_spec_pkg::TRANSLATION_W{s3_select_q[i]}} &
                                         s3_sources_q[i*iommu_spec_pkg::TRANSLATION_W +: iommu_spec_pkg::TRANSLATION_W]);
  end

  // ---- Choice of the response -------------------------------------------------------------------------------------------------
  logic [2:0] choice, choice_q;   // {reply, stage 3, stage 2}
  logic       locked_d, locked_q;
  wire        rsp_leave;          // the response is taken

  always_comb begin
    if (locked_q) choice = choice_q;
    else if (reply_valid_i) choice = 3'b100;
    else if (s3_valid_q) choice = 3'b010;
    else if (s2_direct) choice = 3'b001;
    else choice = 3'b000;
    locked_d = choice != 3'b000 && !rsp_leave;
  end

  assign reply_ready_o = choice[2] && (rsp_ready_i || reply_debug_i);
  assign s3_leave = choice[1] && (rsp_ready_i || s3_request.debug);
  assign s2_leave = s2_valid_q &&
      (s2_direct ? choice[0] && (rsp_ready_i || s2_request.debug) : s2_l2 ? !s3_valid_q || s3_leave : miss_ready_i);

  assign miss_valid_o = s2_miss;
  assign miss_request_o = s2_request_q;
  assign miss_id_o = s2_id_q;
  assign miss_epoch_o = s2_epoch_q;

  // ---- Response of a hit ----------------------------------------------------------------------------------------------------------
  request_t     hit_request;
  translation_t hit_translation;
  response_t    hit_response;

  assign hit_request = choice[1] ? s3_request_q : s2_request_q;
  assign hit_translation = choice[1] ? s3_translation : l1_translation;

  wire        hit_bare = !choice[1] && s2_bare;
  wire [51:0] hit_mask = iommu_spec_pkg::page_number_mask(hit_bare ? iommu_spec_pkg::PAGE_NONE : hit_translation.page);

  always_comb begin
    hit_response = '0;
    hit_response.status = iommu_pkg::RESPONSE_SUCCESS;
    hit_response.spa = {(hit_translation.ppn & ~hit_mask[43:0]) | (hit_request.iova[55:12] & hit_mask[43:0]),
                        hit_request.iova[11:0]};
    hit_response.size = hit_bare ? 6'd12 : iommu_spec_pkg::page_shift(hit_translation.page);
    hit_response.permissions = hit_bare ? 8'h07
        : {3'b000, hit_translation.g, hit_request.priv, hit_translation.x, hit_translation.w, hit_translation.r};
    if (!hit_bare) hit_response.pbmt = hit_translation.pbmt;
  end

  wire rsp_debug = choice[2] ? reply_debug_i : choice[1] ? s3_request.debug : s2_request.debug;

  assign rsp_valid_o = choice != 3'b000 && !rsp_debug;
  assign debug_rsp_valid_o = choice != 3'b000 && rsp_debug;
  assign rsp_id_o = choice[2] ? reply_id_i : choice[1] ? s3_id_q : s2_id_q;
  assign rsp_response_o = choice[2] ? reply_response_i : hit_response;

  assign rsp_leave = reply_ready_o || s3_leave || (choice[0] && s2_leave);

  wire rsp_epoch = choice[2] ? reply_epoch_i : choice[1] ? s3_epoch_q : s2_epoch_q;

  // ---- IOTLBs -----------------------------------------------------------------------------------------------------------------------
  // The fill of a walk goes first: what is not promoted now may be at its next hit. While a first-level hit is presented and not taken
  // its entry must stay, so a fill then goes to the second level only.
  wire          fill_l1 = fill_i && !(choice[0] && !rsp_ready_i);
  wire          promote = s3_leave && !s3_squashed_q && !fill_i;
  translation_t fill_translation;

  assign fill_translation = fill_translation_i;

  iommu_tlb_l1 #(
      .ENTRIES(L1_ENTRIES)
  ) u_l1 (
      .clk_i               (clk_i),
      .rst_i               (rst_i),
      .lookup_request_i    (s1_request_q),
      .lookup_match_o      (s1_match),
      .select_match_i      (s2_match_q),
      .select_translation_o(l1_translation),
      .fill_i              (fill_l1 || promote),
      .fill_request_i      (promote ? s3_request_q : fill_request_i),
      .fill_translation_i  (promote ? s3_translation : fill_translation_i),
      .fill_write_o        (fill_write),
      .invalidate_i        (invalidate_i),
      .invalidation_i      (invalidation_i)
  );

  // The second level's superpages: the same organization, filled by walks only.
  iommu_tlb_l1 #(
      .ENTRIES(SUPERPAGES)
  ) u_superpages (
      .clk_i               (clk_i),
      .rst_i               (rst_i),
      .lookup_request_i    (s1_request_q),
      .lookup_match_o      (s1_super),
      .select_match_i      (s2_super_q),
      .select_translation_o(super_translation),
      .fill_i              (fill_i && fill_translation.page != iommu_spec_pkg::PAGE_4K),
      .fill_request_i      (fill_request_i),
      .fill_translation_i  (fill_translation_i),
      .fill_write_o        (super_write),
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
      .read_i            (accept),
      .read_request_i    (req_request_i),
      .advance_i         (s1_advance),
      .compare_request_i (s2_request_q),
      .match_o           (l2_match),
      .ways_o            (l2_ways),
      .used_i            (s3_loaded_q),
      .used_way_i        (s3_select_q[L2_WAYS-1:0]),
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

  // ---- Requests per epoch -------------------------------------------------------------------------------------------------------
  localparam int COUNT_W = 10;
  logic [COUNT_W-1:0] count0_d, count0_q, count1_d, count1_q;

  always_comb begin
    count0_d = count0_q + COUNT_W'(accept && !epoch_q) - COUNT_W'(rsp_leave && !rsp_epoch);
    count1_d = count1_q + COUNT_W'(accept && epoch_q) - COUNT_W'(rsp_leave && rsp_epoch);
  end

  assign drained_o = epoch_q ? count0_q == '0 : count1_q == '0;
  assign idle_o = count0_q == '0 && count1_q == '0;

  // ---- Registers -----------------------------------------------------------------------------------------------------------------
  always_comb begin
    s1_valid_d = accept || (s1_valid_q && !s1_advance);
    s2_valid_d = s1_advance || (s2_valid_q && !s2_leave);
    s2_match_d = (s1_advance ? s1_match : s2_match_q) & ~fill_write;
    s2_super_d = (s1_advance ? s1_super : s2_super_q) & ~super_write;
    s3_valid_d = s3_load || (s3_valid_q && !s3_leave);
    s3_squashed_d = invalidate_i || (s3_load ? 1'b0 : s3_squashed_q);
  end

  always_ff @(posedge clk_i) begin
    s1_valid_q <= s1_valid_d;
    accepted_q <= accept;
    s2_valid_q <= s2_valid_d;
    s3_valid_q <= s3_valid_d;
    s3_loaded_q <= s3_load;
    s2_match_q <= s2_match_d;
    s2_super_q <= s2_super_d;
    s3_squashed_q <= s3_squashed_d;
    choice_q <= choice;
    locked_q <= locked_d;
    count0_q <= count0_d;
    count1_q <= count1_d;
    epoch_q <= epoch_q ^ flip_i;
    if (accept) begin
      s1_request_q <= req_request_i;
      s1_id_q <= req_id_i;
      s1_epoch_q <= epoch_q;
    end
    if (s1_advance) begin
      s2_request_q <= s1_request_q;
      s2_id_q <= s1_id_q;
      s2_epoch_q <= s1_epoch_q;
    end
    if (s3_load) begin
      s3_request_q <= s2_request_q;
      s3_id_q <= s2_id_q;
      s3_epoch_q <= s2_epoch_q;
      s3_sources_q <= {super_translation, l2_ways};
      s3_select_q <= {l2_match == '0, l2_match};
    end
    if (rst_i) begin
      s1_valid_q <= 1'b0;
      accepted_q <= 1'b0;
      s2_valid_q <= 1'b0;
      s3_valid_q <= 1'b0;
      s3_loaded_q <= 1'b0;
      s2_match_q <= '0;
      s2_super_q <= '0;
      locked_q <= 1'b0;
      count0_q <= '0;
      count1_q <= '0;
      epoch_q <= 1'b0;
    end
  end

  assign accepted_o = accepted_q;
  assign accepted_request_o = s1_request_q;
  assign l1_hit_o = s2_direct && s2_leave;
  assign l2_hit_o = s3_load;
  assign miss_o = s2_miss && miss_ready_i;

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (!flip_i || drained_o) else $error("iommu_lookup: a new epoch before the last one drained");
      assert (!locked_q || !choice_q[0] || s2_direct) else $error("iommu_lookup: a presented hit was withdrawn");
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
  wire [2:0] f_valid = {s3_valid_q, s2_valid_q, s1_valid_q};
  wire [2:0] f_late = {s3_epoch_q, s2_epoch_q, s1_epoch_q};
  wire [2:0] f_mine = f_valid & {f_s3.debug == f_debug && (f_debug || s3_id_q == f_id), f_s2.debug == f_debug && (f_debug || s2_id_q == f_id),
                                 f_s1.debug == f_debug && (f_debug || s1_id_q == f_id)};
  wire [COUNT_W-1:0] f_count0 = COUNT_W'($countones(f_valid & ~f_late)) + COUNT_W'(f_others0_q) + COUNT_W'(f_walks_q && !f_epoch_q);
  wire [COUNT_W-1:0] f_count1 = COUNT_W'($countones(f_valid & f_late)) + COUNT_W'(f_others1_q) + COUNT_W'(f_walks_q && f_epoch_q);

  always_comb begin
    // An identifier is used again after its answer (translation port); the debug port asks one at a time (iommu_debug_port); a walk is
    // of a miss and replies once, with the epoch of that miss, held until it is taken (iommu_miss_queue).
    assume (!f_accept_mine || !f_flight_q);
    assume (!reply_valid_i || (f_reply_mine ? f_walks_q && reply_epoch_i == f_epoch_q
                                            : reply_epoch_i ? f_others1_q != '0 : f_others0_q != '0));
    assume (!f_reply_waits_q || (reply_valid_i && {reply_debug_i, reply_epoch_i, reply_id_i} == f_last_reply_q));
    assume (!f_other_miss || (f_others0_q != '1 && f_others1_q != '1));
    // iommu_command_queue; iommu_registers; and a hit that is presented stays while its entry is not filled over (proof `iommu_tlb_l1`).
    assume (!flip_i || drained_o);
    assume (!f_ddtp_moves || idle_o);
    assume (fill_l1 || promote || fill_write == '0);
    if (f_started_q && !rst_i) begin
      counts_are_requests: assert (count0_q == f_count0 && count1_q == f_count1 && epoch_q == f_now_q);
      watched_is_somewhere: assert ($countones(f_mine) + 32'(f_walks_q) == 32'(f_flight_q));
      watched_epoch: assert ((f_mine & (f_late ^ {3{f_epoch_q}})) == '0);
      one_choice: assert (!locked_q || (choice_q == 3'b001 ? s2_direct : choice_q == 3'b010 ? s3_valid_q
          : choice_q == 3'b100 && reply_valid_i));

      never_drained_too_early: assert (!(f_flight_q && f_epoch_q != f_now_q) || !drained_o);
      never_idle_too_early: assert (!f_flight_q || !idle_o);
      nobody_is_answered_twice: assert (!f_answer_mine || f_flight_q);
      nothing_is_kept_back: assert (f_quiet_q < 4'd8 || idle_o);
      drained_over_a_walk: cover (drained_o && f_flight_q && f_walks_q && f_epoch_q == f_now_q && f_now_q);
      three_stages: cover (f_valid == '1 && f_late == 3'b110 && f_mine == 3'b100);
      debug_answered: cover (f_answer_mine && f_debug && reply_valid_i);
    end
  end
`endif

endmodule
`default_nettype wire
