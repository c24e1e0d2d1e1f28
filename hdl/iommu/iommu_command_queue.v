`default_nettype none
// Command queue: fetches, checks and executes commands one at a time (Command-Queue). Invalidations take one cycle, messages to devices
// until they are taken; an ATS.INVAL waits for a free tag. A fence waits for every invalidate request sent before it, then for every
// request accepted before it, then for the drain of released translations, stores its data, and only then moves the head. It stops
// with cmd_to where one of those invalidate requests timed out. Turned off, the queue gives up a command that waits for devices.
module iommu_command_queue #(
    // Derived: bits of an access (iommu_memory_arbiter.v).
    parameter int ACCESS_W = 2 + 56 + 7 + 256 + 32 + 24 + 2
) (
    input  wire                                       clk_i,
    input  wire                                       rst_i,

    // Registers: effective capabilities, of these the page number bits beyond the physical address size, fctl.BE, fctl.WSI,
    // iommu_qosid; cqcsr.cqon and cqen; cqmf|cmd_to|cmd_ill; cqb; cqt.
    input  wire [63:0]                                capabilities_i,
    input  wire [43:0]                                beyond_i,
    input  wire                                       big_endian_i,
    input  wire                                       wired_i,
    input  wire [23:0]                                qos_i,
    input  wire                                       on_i,
    input  wire                                       enable_i,
    input  wire                                       stopped_i,
    input  wire [43:0]                                base_ppn_i,
    input  wire [4:0]                                 log2_size_i,
    input  wire [31:0]                                tail_i,
    // Sets the head to 0 (cqen 0 -> 1).
    input  wire                                       restart_i,

    output wire [31:0]                                head_o,
    // No command is executed, nor begins in the next cycle.
    output wire                                       idle_o,
    // Strobes: memory fault (cqmf), illegal command (cmd_ill), a fence behind a timeout (cmd_to), fence_w_ip.
    output wire                                       memory_fault_o,
    output wire                                       illegal_o,
    output wire                                       timeout_o,
    output wire                                       fence_wire_o,

    // Invalidation (invalidation_t).
    output wire                                       invalidate_o,
    output wire [iommu_spec_pkg::INVALIDATION_W-1:0]  invalidation_o,

    // Message to a device (message_t), and the tags of invalidate requests (iommu_invalidate_tags.v): one is free, which, it is taken;
    // some are out; one timed out since the last fence that said so.
    output wire                                       message_valid_o,
    input  wire                                       message_ready_i,
    output wire [iommu_spec_pkg::MESSAGE_W-1:0]       message_o,
    input  wire                                       tag_free_i,
    input  wire [4:0]                                 tag_i,
    output wire                                       tag_take_o,
    input  wire                                       tags_out_i,
    input  wire                                       timed_out_i,

    // Order (iommu_lookup.v) and the fence of section 6 of docs/interfaces.md.
    output wire                                       flip_o,
    input  wire                                       drained_i,
    output wire                                       drain_req_o,
    output wire                                       drain_reads_o,
    output wire                                       drain_writes_o,
    input  wire                                       drain_ack_i,

    // Observation: a command was completed.
    output wire                                       event_command_o,
    output wire [63:0]                                event_command_w0_o,
    output wire [63:0]                                event_command_w1_o,

    // Memory.
    output wire                                       mem_valid_o,
    input  wire                                       mem_ready_i,
    output wire [ACCESS_W-1:0]                        mem_access_o,
    input  wire                                       mem_rsp_valid_i,
    input  wire [127:0]                               mem_rsp_data_i,
    input  wire [7:0]                                 mem_rsp_err_i,
    input  wire [7:0]                                 mem_rsp_poison_i
);
  `include "iommu_records.vh"

  typedef enum logic [3:0] {
    IDLE,         // waits for a command
    FETCH,        // presents the read
    FETCHED,      // waits for the command
    EXECUTE,      // legality; invalidations are done here; waits for a free tag, a fence for all tags
    MESSAGE,      // presents a message to a device
    FENCE_ORDER,  // waits for the requests accepted before the fence
    FENCE_DRAIN,  // waits for released translations
    FENCE_STORE,  // presents the store
    FENCE_STORED  // waits for the store
  } state_t;

  state_t      state_d, state_q;
  logic [31:0] head_d, head_q;
  logic [63:0] w0_d, w0_q, w1_d, w1_q;
  logic        memory_fault, illegal, timeout, fence_wire, complete, flip, invalidate;

  wire [63:0] w0 = w0_q;
  wire [63:0] w1 = w1_q;

  // ---- Legality -------------------------------------------------------------------------------------------------------------------
  wire [6:0] opcode = w0[6:0];
  wire [2:0] func3 = w0[9:7];
  wire       is_fence = opcode == 7'd2;
  wire       is_iodir = opcode == 7'd3;
  wire       is_ats = opcode == 7'd4;
  wire       is_response = func3 == 3'd1;
  wire       gvma = func3 == 3'd1;
  wire       pdt = func3 == 3'd1;
  wire       pid_too_wide =
      capabilities_i[iommu_spec_pkg::CAP_PD20] ? 1'b0
      : capabilities_i[iommu_spec_pkg::CAP_PD17] ? w0[31:29] != '0
      : capabilities_i[iommu_spec_pkg::CAP_PD8] ? w0[31:20] != '0 : w0[31:12] != '0;

  logic legal;

  always_comb begin
    case (opcode)
      7'd1: legal = func3 <= 3'd1 && !w0[11] && w0[43:35] == '0 && w0[63:60] == '0 && w1[8:0] == '0 && w1[63:62] == '0 &&
          (!w0[34] || capabilities_i[iommu_spec_pkg::CAP_NL]) && (!w1[9] || capabilities_i[iommu_spec_pkg::CAP_S]) &&
          !(gvma && w0[32]);
      7'd2: legal = func3 == 3'd0 && (!w0[11] || wired_i) && w0[31:14] == '0 && w1[63:62] == '0;
      7'd3: legal = func3 <= 3'd1 && w0[11:10] == '0 && !w0[32] && w0[39:34] == '0 && w1 == '0 &&
          (pdt ? w0[33] && !pid_too_wide : w0[31:12] == '0);
      7'd4: legal = func3 <= 3'd1 && capabilities_i[iommu_spec_pkg::CAP_ATS] && w0[11:10] == '0 && w0[39:34] == '0;
      default: legal = 1'b0;
    endcase
  end

  // ---- Invalidation ---------------------------------------------------------------------------------------------------------------
  invalidation_t invalidation;
  wire [51:0]    vpn = w1[61:10];

  always_comb begin
    invalidation = '0;
    invalidation.directory = is_iodir;
    invalidation.dv = w0[33];
    invalidation.did = w0[63:40];
    invalidation.pv = pdt;
    invalidation.pid = w0[31:12];
    invalidation.gvma = gvma;
    invalidation.gv = w0[33];
    invalidation.gscid = w0[59:44];
    invalidation.pscv = w0[32];
    invalidation.pscid = w0[31:12];
    invalidation.av = w0[10];
    invalidation.nl = w0[34];
    invalidation.vpn = vpn;
    // Range: the lowest 0 of the address at bit X names 2^(X+1) pages.
    invalidation.vpn_mask = w1[9] ? vpn ^ (vpn + 52'd1) : '0;
  end

  // ---- Message ---------------------------------------------------------------------------------------------------------------------
  message_t message;

  always_comb begin
    message = '0;
    message.invalidate = !is_response;
    message.dsv = w0[33];
    message.dseg = w0[33] ? w0[63:56] : '0;
    message.rid = w0[55:40];
    message.pv = w0[32];
    message.pid = w0[32] ? w0[31:12] : '0;
    message.itag = is_response ? '0 : tag_i;
    message.payload = w1;
  end

  // ---- Addresses -------------------------------------------------------------------------------------------------------------------
  wire [31:0] index_mask = (32'd2 << log2_size_i) - 32'd1;
  wire [55:0] fetch_address = {base_ppn_i, 12'd0} | {20'd0, head_q, 4'd0};
  wire [63:0] store_address = {w1[61:0], 2'd0};
  wire        fetch_beyond = (fetch_address[55:12] & beyond_i) != '0;
  wire        store_beyond = (store_address[63:12] & {8'hFF, beyond_i}) != '0;
  wire [31:0] store_data = big_endian_i ? {w0[39:32], w0[47:40], w0[55:48], w0[63:56]} : w0[63:32];
  wire        fetch_failed = (mem_rsp_err_i[1:0] | mem_rsp_poison_i[1:0]) != '0;

  // Of the cycle before. `work_q`: a command waits, and nothing was being executed that moves the head; while it is 1 the queue stays on.
  // The address of an access and the command stand for a cycle before they are looked at.
  logic       work_q, legal_q, fetch_beyond_q, store_beyond_q, answered_q, refused_q;

  wire        idle = state_q == IDLE && !work_q;

  // ---- Sequence ---------------------------------------------------------------------------------------------------------------------
  always_comb begin
    state_d = state_q;
    head_d = head_q;
    w0_d = w0_q;
    w1_d = w1_q;
    memory_fault = 1'b0;
    illegal = 1'b0;
    timeout = 1'b0;
    fence_wire = 1'b0;
    complete = 1'b0;
    flip = 1'b0;
    invalidate = 1'b0;
    case (state_q)
      IDLE: begin
        if (work_q) state_d = FETCH;
      end
      FETCH: begin
        if (fetch_beyond_q) begin
          memory_fault = 1'b1;
          state_d = IDLE;
        end else if (mem_ready_i) state_d = FETCHED;
      end
      FETCHED: begin
        if (mem_rsp_valid_i) begin
          w0_d = big_endian_i ? iommu_spec_pkg::reversed(mem_rsp_data_i[63:0]) : mem_rsp_data_i[63:0];
          w1_d = big_endian_i ? iommu_spec_pkg::reversed(mem_rsp_data_i[127:64]) : mem_rsp_data_i[127:64];
        end
        if (answered_q && refused_q) begin
          memory_fault = 1'b1;
          state_d = IDLE;
        end else if (answered_q) state_d = EXECUTE;
      end
      EXECUTE: begin
        if (!legal_q) begin
          illegal = 1'b1;
          state_d = IDLE;
        end else if (is_fence && tags_out_i) begin
          if (!enable_i) state_d = IDLE;
        end else if (is_fence && timed_out_i) begin
          timeout = 1'b1;
          state_d = IDLE;
        end else if (is_fence) begin
          flip = 1'b1;
          state_d = FENCE_ORDER;
        end else if (is_ats && (is_response || tag_free_i)) begin
          state_d = MESSAGE;
        end else if (is_ats) begin
          if (!enable_i) state_d = IDLE;
        end else begin
          invalidate = 1'b1;
          complete = 1'b1;
          state_d = IDLE;
        end
      end
      MESSAGE: begin
        if (message_ready_i) begin
          complete = 1'b1;
          state_d = IDLE;
        end
      end
      FENCE_ORDER: begin
        if (drained_i && w0[13:12] != '0) state_d = FENCE_DRAIN;
        else if (drained_i) state_d = FENCE_STORE;
      end
      FENCE_DRAIN: if (drain_ack_i) state_d = FENCE_STORE;
      FENCE_STORE: begin
        if (!w0[10]) begin
          complete = 1'b1;
          state_d = IDLE;
        end else if (store_beyond_q) begin
          memory_fault = 1'b1;
          state_d = IDLE;
        end else if (mem_ready_i) state_d = FENCE_STORED;
      end
      FENCE_STORED: begin
        if (answered_q) begin
          if (refused_q) memory_fault = 1'b1;
          else complete = 1'b1;
          state_d = IDLE;
        end
      end
      default: state_d = IDLE;
    endcase
    if (complete) begin
      head_d = (head_q + 32'd1) & index_mask;
      fence_wire = is_fence && w0[11];
    end
    if (restart_i) head_d = '0;
  end

  always_ff @(posedge clk_i) begin
    state_q <= state_d;
    head_q <= head_d;
    w0_q <= w0_d;
    w1_q <= w1_d;
    work_q <= idle && on_i && enable_i && !stopped_i && head_q != (tail_i & index_mask);
    legal_q <= legal;
    fetch_beyond_q <= fetch_beyond;
    store_beyond_q <= store_beyond;
    answered_q <= mem_rsp_valid_i;
    refused_q <= state_q == FETCHED ? fetch_failed : mem_rsp_err_i[0];
    if (rst_i) begin
      state_q <= IDLE;
      work_q <= 1'b0;
      answered_q <= 1'b0;
      head_q <= '0;
    end
  end

  assign head_o = head_q;
  assign idle_o = idle;
  assign memory_fault_o = memory_fault;
  assign illegal_o = illegal;
  assign timeout_o = timeout;
  assign message_valid_o = state_q == MESSAGE;
  assign message_o = message;
  assign tag_take_o = message_valid_o && message_ready_i && message.invalidate;
  assign fence_wire_o = fence_wire;
  assign invalidate_o = invalidate;
  assign invalidation_o = invalidation;
  assign flip_o = flip;
  assign drain_req_o = state_q == FENCE_DRAIN;
  assign drain_reads_o = w0[12];
  assign drain_writes_o = w0[13];
  assign event_command_o = complete;
  assign event_command_w0_o = w0;
  assign event_command_w1_o = w1;
  assign mem_valid_o = (state_q == FETCH && !fetch_beyond_q) || (state_q == FENCE_STORE && w0[10] && !store_beyond_q);
  assign mem_access_o = state_q == FETCH
      ? {iommu_pkg::MEMORY_READ, fetch_address, 7'd16, 256'd0, 32'd0, qos_i, 2'd0}
      : {iommu_pkg::MEMORY_WRITE, store_address[55:0], 7'd4, 224'd0, store_data, 32'h0000000F, qos_i, 2'd0};

`ifndef SYNTHESIS
  always_ff @(posedge clk_i) begin
    if (!rst_i) begin
      assert (!restart_i || idle_o) else $error("iommu_command_queue: restarted while a command is executed");
      assert (!tag_take_o || tag_free_i) else $error("iommu_command_queue: invalidate request without a free tag");
    end
  end
`endif

`ifdef FORMAL
  // Proof `iommu_command_queue`: head, order and fences (RISC-V IOMMU, Command-Queue).
  logic f_started_q = 1'b0;
  always_ff @(posedge clk_i) f_started_q <= 1'b1;
  always_comb if (!f_started_q) assume (rst_i);

  // Registers of the queue stay while it is on, and restart finds it idle (iommu_registers.v); an error bit, once set, stays until
  // software clears it; memory answers what was asked (iommu_memory_arbiter.v).
  logic [31:0] f_head_q, f_old_tail_q;
  logic [4:0]  f_size_q;
  logic        f_asked_q, f_error_q, f_complete_q, f_restarted_q, f_flipped_q, f_drained_q, f_acked_q, f_stored_q;
  logic        f_tag_free_q, f_could_q, f_wired_q;
  logic [63:0] f_capabilities_q;
  wire         f_error = memory_fault_o || illegal_o || timeout_o;

  always_ff @(posedge clk_i) begin
    f_head_q <= head_q;
    f_size_q <= log2_size_i;
    f_complete_q <= event_command_o;
    f_restarted_q <= restart_i || rst_i;
    f_tag_free_q <= tag_free_i && !tag_take_o;
    f_wired_q <= wired_i;
    f_capabilities_q <= capabilities_i;
    f_could_q <= head_q != (tail_i & index_mask) && on_i && enable_i && !stopped_i;
    f_error_q <= f_error && !rst_i;
    if (mem_valid_o && mem_ready_i) f_asked_q <= 1'b1;
    if (mem_rsp_valid_i || rst_i) f_asked_q <= 1'b0;
    // What the fence that is being executed has seen: its new epoch, the old one drained, released translations drained, its store.
    if (flip_o) f_flipped_q <= 1'b1;
    if (f_flipped_q && drained_i) f_drained_q <= 1'b1;
    if (drain_req_o && drain_ack_i) f_acked_q <= 1'b1;
    if (state_q == FENCE_STORED && mem_rsp_valid_i && !mem_rsp_err_i[0]) f_stored_q <= 1'b1;
    if (state_q == IDLE || rst_i) begin
      f_flipped_q <= 1'b0;
      f_drained_q <= 1'b0;
      f_acked_q <= 1'b0;
      f_stored_q <= 1'b0;
    end
  end
  always_comb begin
    assume (!restart_i || idle_o);
    assume (!mem_rsp_valid_i || f_asked_q);
    assume (!f_started_q || log2_size_i == f_size_q || f_restarted_q);
    assume (log2_size_i <= 5'd30);
    assume (!f_error_q || stopped_i);
    assume (!restart_i || !on_i);
    // Static, and fctl, which stays while a queue is on.
    assume (!f_started_q || (capabilities_i == f_capabilities_q && (wired_i == f_wired_q || idle_o)));
    // A free tag stays free until it is taken here (iommu_invalidate_tags.v).
    assume (!f_tag_free_q || tag_free_i);
  end

  wire f_waits_for_memory = state_q == FETCHED || state_q == FENCE_STORED;

  always_comb begin
    if (f_started_q && !rst_i) begin
      head_below_size: assert (f_restarted_q ? head_q == '0 : head_q <= index_mask);
      // The head moves by one, with each completed command and with nothing else: an illegal or faulting command stays at it.
      head_moves_by_one: assert (f_restarted_q || head_q == (f_complete_q ? (f_head_q + 32'd1) & index_mask : f_head_q));
      error_keeps_the_command: assert (!(f_error && event_command_o));
      // Nothing is fetched from an empty queue, from one that is off, or after an error until software clears it: as the registers were
      // in the cycle before, and the head still is where it was then.
      fetches_only_commands: assert (!(state_q == IDLE && state_d == FETCH) || (f_could_q && head_q == f_head_q && !idle_o));
      verdicts_of_the_command: assert (state_q != EXECUTE || legal_q == legal);
      stops_after_an_error: assert (!f_error_q || state_q == IDLE);
      one_access_at_a_time: assert (f_waits_for_memory == (f_asked_q || answered_q) && state_q <= FENCE_STORED);
      // An invalidation is done while its command is executed, and completes it.
      invalidates_in_order: assert (!invalidate_o || (state_q == EXECUTE && event_command_o && legal));
      // A fence completes only after every request accepted before it is answered, after the drain that it asks for, and after
      // its data is visible (IOFENCE.C).
      fence_starts_an_epoch: assert (state_q < FENCE_ORDER || f_flipped_q);
      fence_is_drained: assert (state_q < FENCE_DRAIN || f_drained_q);
      fence_is_acknowledged: assert (state_q < FENCE_STORE || w0_q[13:12] == '0 || f_acked_q);
      fence_waits: assert (!(event_command_o && is_fence) ||
          (f_flipped_q && f_drained_q && (w0_q[13:12] == '0 || f_acked_q) && (!w0_q[10] || f_stored_q)));
      fence_is_a_fence: assert (state_q < FENCE_ORDER || is_fence);
      message_has_a_tag: assert (state_q != MESSAGE || (is_ats && (is_response || f_tag_free_q)));
      fence_behind_invalidates: assert (!flip_o || (!tags_out_i && !timed_out_i));
      fence_with_everything: cover (event_command_o && is_fence && w0_q[13:10] == 4'hF && head_q == index_mask);
      second_command: cover (invalidate_o && head_q == 32'd1);
      illegal_command: cover (illegal_o && head_q == 32'd1);
    end
  end
`endif

endmodule
`default_nettype wire
