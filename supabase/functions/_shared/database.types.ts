export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[];

export type Database = {
  "public": {
    Tables: {
      "billing_changes": {
        Row: {
          "actor": string;
          "after": Json | null;
          "before": Json | null;
          "cause": string;
          "created_at": string;
          "id": number;
          "kind": string;
          "organization_id": string;
          "purchased_seats": number;
          "seats_used": number;
          "subject": string;
        };
        ComputedFields: never;
        Insert: {
          "actor": string;
          "after"?: Json | null;
          "before"?: Json | null;
          "cause": string;
          "created_at"?: string;
          "id"?: never;
          "kind": string;
          "organization_id": string;
          "purchased_seats": number;
          "seats_used": number;
          "subject": string;
        };
        Update: {
          "actor"?: string;
          "after"?: Json | null;
          "before"?: Json | null;
          "cause"?: string;
          "created_at"?: string;
          "id"?: never;
          "kind"?: string;
          "organization_id"?: string;
          "purchased_seats"?: number;
          "seats_used"?: number;
          "subject"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "billing_changes_organization_id_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
        ];
      };
      "organization_invitations": {
        Row: {
          "clerk_created_at": string | null;
          "clerk_invitation_id": string | null;
          "clerk_updated_at": string;
          "clerk_user_id": string | null;
          "created_at": string;
          "email": string;
          "expires_at": string;
          "held_until": string | null;
          "holds_seat": boolean;
          "id": string;
          "invited_by": string | null;
          "organization_id": string;
          "role": string;
          "status": string;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "clerk_created_at"?: string | null;
          "clerk_invitation_id"?: string | null;
          "clerk_updated_at"?: string;
          "clerk_user_id"?: string | null;
          "created_at"?: string;
          "email": string;
          "expires_at"?: string;
          "held_until"?: string | null;
          "holds_seat"?: boolean;
          "id"?: string;
          "invited_by"?: string | null;
          "organization_id": string;
          "role"?: string;
          "status": string;
          "updated_at"?: string;
        };
        Update: {
          "clerk_created_at"?: string | null;
          "clerk_invitation_id"?: string | null;
          "clerk_updated_at"?: string;
          "clerk_user_id"?: string | null;
          "created_at"?: string;
          "email"?: string;
          "expires_at"?: string;
          "held_until"?: string | null;
          "holds_seat"?: boolean;
          "id"?: string;
          "invited_by"?: string | null;
          "organization_id"?: string;
          "role"?: string;
          "status"?: string;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "organization_invitations_organization_id_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
        ];
      };
      "organization_members": {
        Row: {
          "clerk_created_at": string | null;
          "clerk_membership_id": string | null;
          "clerk_updated_at": string;
          "clerk_user_id": string;
          "created_at": string;
          "email": string | null;
          "held_until": string | null;
          "holds_seat": boolean;
          "id": string;
          "organization_id": string;
          "role": string;
          "status": string;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "clerk_created_at"?: string | null;
          "clerk_membership_id"?: string | null;
          "clerk_updated_at"?: string;
          "clerk_user_id": string;
          "created_at"?: string;
          "email"?: string | null;
          "held_until"?: string | null;
          "holds_seat"?: boolean;
          "id"?: string;
          "organization_id": string;
          "role"?: string;
          "status": string;
          "updated_at"?: string;
        };
        Update: {
          "clerk_created_at"?: string | null;
          "clerk_membership_id"?: string | null;
          "clerk_updated_at"?: string;
          "clerk_user_id"?: string;
          "created_at"?: string;
          "email"?: string | null;
          "held_until"?: string | null;
          "holds_seat"?: boolean;
          "id"?: string;
          "organization_id"?: string;
          "role"?: string;
          "status"?: string;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "organization_members_organization_id_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
        ];
      };
      "organization_subscriptions": {
        Row: {
          "cancel_at_period_end": boolean;
          "created_at": string;
          "current_period_end": string | null;
          "grace_until": string | null;
          "granted_seats": number;
          "organization_id": string;
          "plan": string | null;
          "purchased_seats": number;
          "renewal_seats": number | null;
          "seat_billing_period": string | null;
          "status": string;
          "stripe_customer_id": string | null;
          "stripe_seat_item_id": string | null;
          "stripe_seat_subscription_id": string | null;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "cancel_at_period_end"?: boolean;
          "created_at"?: string;
          "current_period_end"?: string | null;
          "grace_until"?: string | null;
          "granted_seats"?: number;
          "organization_id": string;
          "plan"?: string | null;
          "purchased_seats"?: number;
          "renewal_seats"?: number | null;
          "seat_billing_period"?: string | null;
          "status"?: string;
          "stripe_customer_id"?: string | null;
          "stripe_seat_item_id"?: string | null;
          "stripe_seat_subscription_id"?: string | null;
          "updated_at"?: string;
        };
        Update: {
          "cancel_at_period_end"?: boolean;
          "created_at"?: string;
          "current_period_end"?: string | null;
          "grace_until"?: string | null;
          "granted_seats"?: number;
          "organization_id"?: string;
          "plan"?: string | null;
          "purchased_seats"?: number;
          "renewal_seats"?: number | null;
          "seat_billing_period"?: string | null;
          "status"?: string;
          "stripe_customer_id"?: string | null;
          "stripe_seat_item_id"?: string | null;
          "stripe_seat_subscription_id"?: string | null;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "organization_subscriptions_organization_id_fkey";
            columns: ["organization_id"];
            isOneToOne: true;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "organization_subscriptions_plan_fkey";
            columns: ["plan"];
            isOneToOne: false;
            referencedRelation: "plans";
            referencedColumns: ["id"];
          },
        ];
      };
      "organizations": {
        Row: {
          "clerk_limit": number;
          "clerk_limit_error": string | null;
          "clerk_limit_pushed": number | null;
          "clerk_org_id": string;
          "clerk_updated_at": string;
          "created_at": string;
          "deleted_at": string | null;
          "id": string;
          "join_code": string;
          "last_synced_at": string | null;
          "members_count": number;
          "name": string;
          "over_capacity": boolean;
          "pending_invitations_count": number;
          "seat_limit": number;
          "seats_used": number;
          "slug": string | null;
          "status": string;
          "subscription_plan": string | null;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "clerk_limit"?: number;
          "clerk_limit_error"?: string | null;
          "clerk_limit_pushed"?: number | null;
          "clerk_org_id": string;
          "clerk_updated_at"?: string;
          "created_at"?: string;
          "deleted_at"?: string | null;
          "id"?: string;
          "join_code"?: string;
          "last_synced_at"?: string | null;
          "members_count"?: number;
          "name"?: string;
          "over_capacity"?: never;
          "pending_invitations_count"?: number;
          "seat_limit"?: number;
          "seats_used"?: never;
          "slug"?: string | null;
          "status"?: string;
          "subscription_plan"?: string | null;
          "updated_at"?: string;
        };
        Update: {
          "clerk_limit"?: number;
          "clerk_limit_error"?: string | null;
          "clerk_limit_pushed"?: number | null;
          "clerk_org_id"?: string;
          "clerk_updated_at"?: string;
          "created_at"?: string;
          "deleted_at"?: string | null;
          "id"?: string;
          "join_code"?: string;
          "last_synced_at"?: string | null;
          "members_count"?: number;
          "name"?: string;
          "over_capacity"?: never;
          "pending_invitations_count"?: number;
          "seat_limit"?: number;
          "seats_used"?: never;
          "slug"?: string | null;
          "status"?: string;
          "subscription_plan"?: string | null;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "organizations_subscription_plan_fkey";
            columns: ["subscription_plan"];
            isOneToOne: false;
            referencedRelation: "plans";
            referencedColumns: ["id"];
          },
        ];
      };
      "plan_prices": {
        Row: {
          "base_amount": number;
          "billing_period": string;
          "currency": string;
          "lookup_key": string;
          "plan": string;
          "seat_amount": number;
        };
        ComputedFields: never;
        Insert: {
          "base_amount": number;
          "billing_period": string;
          "currency": string;
          "lookup_key": string;
          "plan": string;
          "seat_amount": number;
        };
        Update: {
          "base_amount"?: number;
          "billing_period"?: string;
          "currency"?: string;
          "lookup_key"?: string;
          "plan"?: string;
          "seat_amount"?: number;
        };
        Relationships: [
          {
            foreignKeyName: "plan_prices_plan_fkey";
            columns: ["plan"];
            isOneToOne: false;
            referencedRelation: "plans";
            referencedColumns: ["id"];
          },
        ];
      };
      "plans": {
        Row: {
          "id": string;
          "included_seats": number;
          "max_seats": number;
          "min_seats": number;
          "name": string;
          "rank": number;
        };
        ComputedFields: never;
        Insert: {
          "id": string;
          "included_seats": number;
          "max_seats": number;
          "min_seats": number;
          "name": string;
          "rank": number;
        };
        Update: {
          "id"?: string;
          "included_seats"?: number;
          "max_seats"?: number;
          "min_seats"?: number;
          "name"?: string;
          "rank"?: number;
        };
        Relationships: [];
      };
      "seat_changes": {
        Row: {
          "actor": string;
          "billing_period": string;
          "billing_period_before": string | null;
          "cancel_url": string | null;
          "created_at": string;
          "error": string | null;
          "expires_at": string;
          "id": string;
          "idempotency_key": string | null;
          "kind": string;
          "organization_id": string;
          "payment_url": string | null;
          "period_end": string | null;
          "plan": string;
          "plan_before": string | null;
          "proration_date": string | null;
          "renewal_seats_before": number | null;
          "seats": number;
          "seats_before": number | null;
          "state": string;
          "stripe_checkout_session_id": string | null;
          "stripe_subscription_id": string | null;
          "success_url": string | null;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "actor": string;
          "billing_period": string;
          "billing_period_before"?: string | null;
          "cancel_url"?: string | null;
          "created_at"?: string;
          "error"?: string | null;
          "expires_at": string;
          "id"?: string;
          "idempotency_key"?: string | null;
          "kind": string;
          "organization_id": string;
          "payment_url"?: string | null;
          "period_end"?: string | null;
          "plan": string;
          "plan_before"?: string | null;
          "proration_date"?: string | null;
          "renewal_seats_before"?: number | null;
          "seats": number;
          "seats_before"?: number | null;
          "state"?: string;
          "stripe_checkout_session_id"?: string | null;
          "stripe_subscription_id"?: string | null;
          "success_url"?: string | null;
          "updated_at"?: string;
        };
        Update: {
          "actor"?: string;
          "billing_period"?: string;
          "billing_period_before"?: string | null;
          "cancel_url"?: string | null;
          "created_at"?: string;
          "error"?: string | null;
          "expires_at"?: string;
          "id"?: string;
          "idempotency_key"?: string | null;
          "kind"?: string;
          "organization_id"?: string;
          "payment_url"?: string | null;
          "period_end"?: string | null;
          "plan"?: string;
          "plan_before"?: string | null;
          "proration_date"?: string | null;
          "renewal_seats_before"?: number | null;
          "seats"?: number;
          "seats_before"?: number | null;
          "state"?: string;
          "stripe_checkout_session_id"?: string | null;
          "stripe_subscription_id"?: string | null;
          "success_url"?: string | null;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "seat_changes_organization_id_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "seat_changes_plan_before_fkey";
            columns: ["plan_before"];
            isOneToOne: false;
            referencedRelation: "plans";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "seat_changes_price_fkey";
            columns: ["plan", "billing_period"];
            isOneToOne: false;
            referencedRelation: "plan_prices";
            referencedColumns: ["plan", "billing_period"];
          },
        ];
      };
    };
    Views: {
      "organization_seats": {
        Row: {
          "clerk_user_id": string | null;
          "email": string | null;
          "id": string | null;
          "organization_id": string | null;
          "role": string | null;
          "since": string | null;
          "taken_by": string | null;
        };
        ComputedFields: never;
        Relationships: [];
      };
    };
    Functions: {
      "abandon_checkout": { Args: { "p_seat_change_id": string }; Returns: undefined };
      "abandon_sync": {
        Args: { "p_lease_id": string; "p_organization_id": string };
        Returns: undefined;
      };
      "apply_clerk_event": { Args: { "p_event": Json; "p_message_id": string }; Returns: Json };
      "apply_stripe_event": { Args: { "p_answer"?: Json; "p_event": Json }; Returns: Json };
      "approve_member": {
        Args: { "p_actor"?: string; "p_clerk_org_id"?: string; "p_member_id": string };
        Returns: {
          "clerk_created_at": string | null;
          "clerk_membership_id": string | null;
          "clerk_updated_at": string;
          "clerk_user_id": string;
          "created_at": string;
          "email": string | null;
          "held_until": string | null;
          "holds_seat": boolean;
          "id": string;
          "organization_id": string;
          "role": string;
          "status": string;
          "updated_at": string;
        };
        SetofOptions: {
          from: "*";
          to: "organization_members";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "attach_checkout_session": {
        Args: { "p_seat_change_id": string; "p_stripe_checkout_session_id": string };
        Returns: string;
      };
      "attach_stripe_customer": {
        Args: {
          "p_actor": string;
          "p_deleted_customer_id"?: string;
          "p_organization_id": string;
          "p_stripe_customer_id": string;
        };
        Returns: string;
      };
      "begin_sweep": { Args: Record<PropertyKey, never>; Returns: Json };
      "check_organization_capacity": {
        Args: { "p_organization_id": string };
        Returns: {
          "can_add": boolean;
          "current_members": number;
          "remaining_seats": number;
          "seat_limit": number;
        }[];
      };
      "check_seat_availability": {
        Args: { "p_organization_id": string };
        Returns: {
          "current_members": number;
          "has_seats": boolean;
          "purchased_seats": number;
          "remaining_seats": number;
        }[];
      };
      "claim_organization_sync": {
        Args: { "p_clerk_org_id": string; "p_lease_seconds": number; "p_organization_id": string };
        Returns: Database["public"]["CompositeTypes"]["sync_lease"];
        SetofOptions: {
          from: "*";
          to: "sync_lease";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "claim_seats": {
        Args: {
          "p_actor": string;
          "p_clerk_org_id": string;
          "p_organization_id": string;
          "p_partial": boolean;
          "p_people": Json;
        };
        Returns: Json;
      };
      "claim_sync_batch": {
        Args: { "p_before": string; "p_lease_seconds": number; "p_limit": number };
        Returns: Database["public"]["CompositeTypes"]["sync_lease"][];
        SetofOptions: {
          from: "*";
          to: "sync_lease";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "expire_invitations": { Args: { "p_limit": number }; Returns: number };
      "finish_clerk_limit_push": {
        Args: {
          "p_error"?: string;
          "p_limit"?: number;
          "p_organization_id": string;
          "p_push_id": string;
        };
        Returns: boolean;
      };
      "grant_seats": {
        Args: {
          "p_actor": string;
          "p_organization_id": string;
          "p_reason": string;
          "p_seats": number;
        };
        Returns: undefined;
      };
      "health_report": { Args: Record<PropertyKey, never>; Returns: Json };
      "hold_invitations": {
        Args: { "p_invitation_ids": (string)[]; "p_organization_id": string };
        Returns: (string)[];
      };
      "is_up": { Args: Record<PropertyKey, never>; Returns: boolean };
      "mark_seat_change_stuck": {
        Args: { "p_error": string; "p_seat_change_id": string };
        Returns: undefined;
      };
      "preview_seat_change": {
        Args: {
          "p_billing_period"?: string;
          "p_clerk_org_id": string;
          "p_organization_id": string;
          "p_plan"?: string;
          "p_seats": number;
        };
        Returns: Json;
      };
      "reconcile_organization": {
        Args: { "p_actor": string; "p_clerk": Json; "p_lease": Json; "p_stripe": Json };
        Returns: Json;
      };
      "record_sync_run": {
        Args: {
          "p_drift": Json;
          "p_events_until"?: number;
          "p_failed": number;
          "p_organizations": number;
          "p_recovered_events"?: number;
          "p_started_at": string;
        };
        Returns: Json;
      };
      "reject_member": {
        Args: { "p_actor": string; "p_clerk_org_id": string; "p_member_id": string };
        Returns: {
          "clerk_created_at": string | null;
          "clerk_membership_id": string | null;
          "clerk_updated_at": string;
          "clerk_user_id": string;
          "created_at": string;
          "email": string | null;
          "held_until": string | null;
          "holds_seat": boolean;
          "id": string;
          "organization_id": string;
          "role": string;
          "status": string;
          "updated_at": string;
        };
        SetofOptions: {
          from: "*";
          to: "organization_members";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "replace_join_code": {
        Args: { "p_actor": string; "p_clerk_org_id": string; "p_organization_id": string };
        Returns: string;
      };
      "request_membership": {
        Args: { "p_clerk_user_id": string; "p_email": string; "p_join_code": string };
        Returns: string;
      };
      "return_leases": { Args: { "p_lease_ids": (string)[] }; Returns: undefined };
      "seat_summary": {
        Args: { "p_clerk_org_id": string; "p_organization_id": string };
        Returns: Json;
      };
      "seat_usage": {
        Args: {
          "p_clerk_org_id": string;
          "p_from": string;
          "p_organization_id": string;
          "p_to": string;
        };
        Returns: {
          "day": string;
          "peak_seats_used": number;
          "purchased_seats": number;
          "seats_used": number;
        }[];
      };
      "set_organization_status": {
        Args: { "p_actor": string; "p_organization_id": string; "p_status": string };
        Returns: undefined;
      };
      "settle_invitations": {
        Args: { "p_actor": string; "p_organization_id": string; "p_results": Json };
        Returns: Json;
      };
      "settle_member": {
        Args: { "p_actor": string; "p_member_id": string; "p_result": Json };
        Returns: {
          "clerk_created_at": string | null;
          "clerk_membership_id": string | null;
          "clerk_updated_at": string;
          "clerk_user_id": string;
          "created_at": string;
          "email": string | null;
          "held_until": string | null;
          "holds_seat": boolean;
          "id": string;
          "organization_id": string;
          "role": string;
          "status": string;
          "updated_at": string;
        };
        SetofOptions: {
          from: "*";
          to: "organization_members";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "settle_seat_change": {
        Args: { "p_answer": Json; "p_error"?: string; "p_seat_change_id": string };
        Returns: Json;
      };
      "start_checkout": {
        Args: {
          "p_actor": string;
          "p_billing_period": string;
          "p_cancel_url": string;
          "p_clerk_org_id": string;
          "p_organization_id": string;
          "p_plan": string;
          "p_seats": number;
          "p_success_url": string;
        };
        Returns: Json;
      };
      "start_clerk_limit_push": { Args: { "p_organization_id": string }; Returns: Json };
      "start_member_change": {
        Args: {
          "p_actor": string;
          "p_clerk_org_id": string;
          "p_clerk_user_id": string;
          "p_organization_id": string;
          "p_role": string;
        };
        Returns: Json;
      };
      "start_resend": {
        Args: {
          "p_actor": string;
          "p_clerk_org_id": string;
          "p_invitation_id": string;
          "p_organization_id": string;
        };
        Returns: Json;
      };
      "start_seat_change": {
        Args: {
          "p_actor": string;
          "p_billing_period"?: string;
          "p_clerk_org_id": string;
          "p_idempotency_key": string;
          "p_now"?: string;
          "p_organization_id": string;
          "p_plan"?: string;
          "p_proration_date"?: string;
          "p_seats": number;
        };
        Returns: Json;
      };
      "sync_organization_counts": {
        Args: { "p_organization_id": string };
        Returns: {
          "drifted": boolean;
          "members_count": number;
          "pending_invitations_count": number;
        }[];
      };
      "unknown_stripe_events": { Args: { "p_event_ids": (string)[] }; Returns: string[] };
    };
    Enums: {
      [_ in never]: never;
    };
    CompositeTypes: {
      "sync_lease": {
        "organization_id": string | null;
        "clerk_org_id": string | null;
        "stripe_customer_id": string | null;
        "lease_id": string | null;
        "started_at": string | null;
        "subscription_version": number | null;
        "open_change_id": string | null;
        "open_change_subscription_id": string | null;
      };
    };
  };
};

type DatabaseWithoutInternals = Omit<Database, "__InternalSupabase">;

type DefaultSchema = DatabaseWithoutInternals[Extract<keyof Database, "public">];

export type Tables<
  DefaultSchemaTableNameOrOptions extends
    | keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof (
      & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
      & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"]
    )
    : never = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals } ? (
    & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"]
  )[TableName] extends {
    Row: infer R;
  } ? R
  : never
  : DefaultSchemaTableNameOrOptions extends keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    ? (DefaultSchema["Tables"] & DefaultSchema["Views"])[DefaultSchemaTableNameOrOptions] extends {
      Row: infer R;
    } ? R
    : never
  : never;

export type TablesInsert<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends
    {
      Insert: infer I;
    } ? I
  : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
    ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Insert: infer I;
    } ? I
    : never
  : never;

export type TablesUpdate<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends
    {
      Update: infer U;
    } ? U
  : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
    ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Update: infer U;
    } ? U
    : never
  : never;

export type Enums<
  DefaultSchemaEnumNameOrOptions extends
    | keyof DefaultSchema["Enums"]
    | { schema: keyof DatabaseWithoutInternals },
  EnumName extends DefaultSchemaEnumNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"]
    : never = never,
> = DefaultSchemaEnumNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"][EnumName]
  : DefaultSchemaEnumNameOrOptions extends keyof DefaultSchema["Enums"]
    ? DefaultSchema["Enums"][DefaultSchemaEnumNameOrOptions]
  : never;

export type CompositeTypes<
  PublicCompositeTypeNameOrOptions extends
    | keyof DefaultSchema["CompositeTypes"]
    | { schema: keyof DatabaseWithoutInternals },
  CompositeTypeName extends PublicCompositeTypeNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"]
    : never = never,
> = PublicCompositeTypeNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"][
    CompositeTypeName
  ]
  : PublicCompositeTypeNameOrOptions extends keyof DefaultSchema["CompositeTypes"]
    ? DefaultSchema["CompositeTypes"][PublicCompositeTypeNameOrOptions]
  : never;

export const Constants = {
  "public": {
    Enums: {},
  },
} as const;
